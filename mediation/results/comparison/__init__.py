"""The difference of two results."""

from ._compare import (
    COMPARED as COMPARED,
    KEPT as KEPT,
    Asked as Asked,
    Asking as Asking,
    Result as Result,
    compared as compared,
    result_of as result_of,
    settings_asked as settings_asked,
)
from ._match import matched as matched
from ._pairing import are_paired as are_paired
