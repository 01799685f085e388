"""The labels that a config may put on a probe's series."""

from typing import Annotated, TypeAlias

from pydantic import AfterValidator

from monitor.config.values import Matching, refuse

RESERVED = frozenset(
    {
        "probe",
        "mode",
        "reason",
        "initiator",
        "code",
        "phase",
        "protocol",
        "endpoint",
        "address",
        "tls_version",
        "timestamping",
        "le",
        "quantile",
        "job",
        "instance",
    }
)
"""Names that the monitor or Prometheus sets itself."""


def _not_reserved(name: str) -> str:
    if name in RESERVED or name.startswith("__"):
        raise refuse("this label is reserved: the monitor or Prometheus sets it")
    return name


LabelName: TypeAlias = Annotated[
    str,
    Matching(
        "[a-zA-Z_][a-zA-Z0-9_]*",
        "a label's name has only letters, digits and _, and does not start with a digit",
    ),
    AfterValidator(_not_reserved),
]
LabelValue: TypeAlias = Annotated[
    str,
    Matching(
        r"[^\x00-\x1f\x7f]{1,200}",
        "a label's value has 1 to 200 characters, none of them a control character",
    ),
]
Labels: TypeAlias = dict[LabelName, LabelValue]
