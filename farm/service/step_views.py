"""The API's answers about denoising steps and drift, as frozen values."""

from farm.service.views import View


class StepCalibration(View):
    """Of looks at one step: how many there are, their rank correlation with the finished pictures,
    and the limit beyond which a picture can be stopped, with the share of good pictures that it
    stops, and of all.
    """

    pictures: int
    correlation: float | None
    limit: float | None
    false_stops: float | None
    stopped: float | None


class Calibrated(View):
    """The calibration of a campaign's steps, by the fractions of all steps that they are at."""

    campaign: str
    model: str
    limit: float
    steps: dict[str, StepCalibration]


class PreviewsOf(View):
    """A campaign and how many of its previews are removed."""

    campaign: str
    files: int


class SparedPreviews(View):
    """A campaign that keeps its previews, and why."""

    campaign: str
    why: str


class PrunedPreviews(View):
    """The campaigns that keep no previews any more."""

    project: str
    dry_run: bool
    campaigns: list[PreviewsOf]
    spared: list[SparedPreviews]


class Savings(View):
    """What stopping has saved of a campaign's device time, in seconds, and about how many of the
    stopped pictures would have ended within its limit; null if its model is not calibrated.
    """

    campaign: str
    limit: float | None
    action: str | None
    stopped: int
    saved_s: float
    device_s: float
    wrongly_stopped: float | None


class ModelProfile(View):
    """The measurements of a model: how much of a composition a seed decides, by which measure,
    the limits at which pictures can be stopped, and the device time of a step of a million pixels
    in seconds, as the farm's renders have shown it.
    """

    digest: str
    grip: float | None
    measure: str | None
    stops: dict[str, StepCalibration]
    seconds_per_megapixel_step: float | None
