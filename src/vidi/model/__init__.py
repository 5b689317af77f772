"""The Model noun: card, save, load and run."""

from vidi.model.card import Card, parse_card
from vidi.model.model import Model, build_net, code_of, fit_weights, load, make_card

__all__ = ["Card", "Model", "build_net", "code_of", "fit_weights", "load", "make_card", "parse_card"]
