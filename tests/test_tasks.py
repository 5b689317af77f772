"""Every task passes the kit, and the kit can fail."""

from dataclasses import replace

import pytest

from vidi.core import discovery
from vidi.testing.task import TaskFault, check_task


@pytest.mark.parametrize("name", discovery.names("tasks"))
def test_the_kit_passes(name):
    check_task(name)


def test_the_kit_notices_a_wrong_direction(monkeypatch):
    module = discovery.load("tasks", "classify")
    monkeypatch.setattr(module, "task", replace(module.task, higher_is_better=False))
    with pytest.raises(TaskFault, match="perfect predictions"):
        check_task("classify")
