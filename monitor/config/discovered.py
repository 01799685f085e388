"""From a discovered target to a probe: through the checks that a configured one goes through."""

from pydantic import ValidationError

from monitor.config import placeholders, rules
from monitor.config.placeholders import DiscoveredTarget, Unfit
from monitor.config.probe import DiscoveredProbe
from monitor.config.problems import format_path
from monitor.config.template import Template
from monitor.config.wording import ONLY_A_CONSEQUENCE, keys_at, sentence_for
from monitor.core.deny_list import DenyList


def make_probe(
    template: Template, target: DiscoveredTarget, deny_list: DenyList
) -> DiscoveredProbe:
    """The probe that a template makes of a target.

    Raises:
        Unfit: it makes none; the text says why, and repeats nothing that the source said.
    """
    expanded = placeholders.expand(template.raw, placeholders.values_of(target))
    try:
        probe = DiscoveredProbe.model_validate(
            template.complete(expanded), context={"directory": template.directory}
        )
    except ValidationError as error:
        reason = _reason(error)
    else:
        finding = next(rules.probe_findings(probe), None)
        if finding is None:
            return probe.kept_off(deny_list)
        reason = f"{format_path(finding.path)}: {finding.message}"
    # Outside of the except clause, so that it does not drag the values along.
    raise Unfit(reason)


def _reason(error: ValidationError) -> str:
    details = error.errors(include_url=False)
    detail = next((d for d in details if d["type"] != ONLY_A_CONSEQUENCE), details[0])
    path = detail["loc"][:-1] if detail["loc"][-1:] == ("[key]",) else detail["loc"]
    return f"{format_path(path)}: {sentence_for(detail, keys_at(DiscoveredProbe, path[:-1]))}"
