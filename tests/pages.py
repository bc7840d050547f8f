"""Pages of metrics, read as Prometheus reads them."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain


class Page:
    """The samples of a page, by name and labels."""

    def __init__(self, text, *, is_openmetrics=False):
        parse = openmetrics if is_openmetrics else plain
        self.families = list(parse(text))
        self.samples = [sample for family in self.families for sample in family.samples]

    def __contains__(self, name):
        return any(sample.name == name for sample in self.samples)

    def all(self, name, **labels):
        """The values of the samples that have these labels among theirs."""
        return {
            tuple(sorted(sample.labels.items())): sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        }

    def one(self, name, **labels):
        found = self.all(name, **labels)
        assert len(found) == 1, f"{name} {labels}: {found}"
        return next(iter(found.values()))

    def sum(self, name, **labels):
        return sum(self.all(name, **labels).values())

    def labels(self, name, label):
        return {sample.labels[label] for sample in self.samples if sample.name == name}
