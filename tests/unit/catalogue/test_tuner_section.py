from __future__ import annotations

import pytest

from dispatcher.catalogue import TunerRules
from dispatcher.errors import ConfigError
from tests.unit.catalogue.files import CatalogueFile, file_with


@pytest.mark.parametrize("mode", ["off", '"off"', "observe", "act"])
def test_the_mode_of_the_tuner_is_read_off_without_quotes_too(
    catalogue_file: CatalogueFile, mode: str
) -> None:
    catalogue = catalogue_file.loads_as(f"{file_with()}\ntuner: {{mode: {mode}}}\n")
    assert catalogue.tuner.mode == mode.strip('"')


def test_a_tuner_that_nobody_mentions_observes(catalogue_file: CatalogueFile) -> None:
    assert catalogue_file.loads_as(file_with()).tuner == TunerRules(mode="observe")


def test_a_mode_that_does_not_exist_is_refused_with_those_that_do(catalogue_file: CatalogueFile) -> None:
    with pytest.raises(ConfigError, match="one of off, observe, act"):
        catalogue_file.loads_as(f"{file_with()}\ntuner: {{mode: on}}\n")
