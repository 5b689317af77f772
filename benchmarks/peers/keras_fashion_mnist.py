"""A plain Keras script: a VGG-like net with batch normalization and augmentation layers, Adam with cosine decay."""

import json
import os
import sys
import time
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
from keras import layers

sys.path.insert(0, str(Path(__file__).parent))
from idx import load

folder, minutes = Path(sys.argv[1]), float(sys.argv[2])
keras.utils.set_random_seed(0)
(train_x, train_y), (test_x, test_y) = load(folder)


def make():
    parts = [keras.Input((28, 28, 1)), layers.Rescaling(1 / 255), layers.RandomFlip("horizontal"), layers.RandomTranslation(0.07, 0.07)]
    for width in (32, 64, 128):
        for _ in range(2):
            parts += [layers.Conv2D(width, 3, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU()]
        parts += [layers.MaxPooling2D(), layers.Dropout(0.2)]
    return keras.Sequential([*parts, layers.GlobalAveragePooling2D(), layers.Dense(10)])


def compiled(steps):
    model = make()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    schedule = keras.optimizers.schedules.CosineDecay(2e-3, max(1, steps))
    model.compile(keras.optimizers.Adam(schedule), loss, metrics=["accuracy"])
    return model


batch = 128
probe = compiled(100)
probe.fit(train_x[: 10 * batch, ..., None], train_y[: 10 * batch], batch_size=batch, epochs=1, verbose=0)
start = time.perf_counter()
probe.fit(train_x[: 40 * batch, ..., None], train_y[: 40 * batch], batch_size=batch, epochs=1, verbose=0)
per_step = (time.perf_counter() - start) / 40
steps = -(-len(train_x) // batch)
epochs = max(1, int(minutes * 60 / (per_step * steps) * 0.97))
model = compiled(epochs * steps)
begun = time.perf_counter()
model.fit(train_x[..., None], train_y, batch_size=batch, epochs=epochs, verbose=0)
seconds = time.perf_counter() - begun
_, accuracy = model.evaluate(test_x[..., None], test_y, verbose=0)
print(json.dumps({"accuracy": float(accuracy), "epochs": epochs, "seconds": seconds}))
