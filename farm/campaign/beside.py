"""What stands beside the model in a group of renders: its adapters, its ControlNet, its IP-Adapter
and its upscaler.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from actors.models.controls import MODES
from actors.models.upscalers import TILE
from actors.recipes.recipe import Adapter, Control, Likeness, Upscale
from farm.campaign.groups import has_control, has_likeness
from farm.campaign.schema import Campaign
from farm.campaign.settings import Settings
from farm.campaign.sources import DEFAULT_SCALE, NONE, Sources
from farm.campaign.sources import Control as WrittenControl
from farm.campaign.sources import Likeness as WrittenLikeness
from farm.campaign.sources import Upscale as WrittenUpscale


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What a group has beside its model. The path of one that is registered is its `NAME@DIGEST`.
    Only those have a manifest, which is the sha256 of the list of their files.
    """

    adapters: tuple[Adapter, ...]
    adapter_paths: tuple[str, ...]
    adapter_manifests: tuple[str | None, ...]
    control: Control | None
    control_path: str | None
    control_manifest: str | None
    likeness: Likeness | None
    likeness_path: str | None
    likeness_manifest: str | None
    upscale: Upscale | None
    upscaler_path: str | None
    upscaler_manifest: str | None


def beside(campaign: Campaign, settings: Settings, sources: Sources) -> Beside:
    """What renders with these settings have beside their model."""
    adapters = _adapters(campaign, settings)
    control = campaign.control if has_control(settings) else None
    likeness = campaign.likeness if has_likeness(settings) else None
    control_path, control_manifest = _place(control, sources)
    likeness_path, likeness_manifest = _place(likeness, sources)
    upscale = campaign.upscale if (settings.upscale_by or 1) > 1 else None
    upscaler_path, upscaler_manifest = _place(upscale, sources)
    return Beside(
        adapters=tuple(
            Adapter(digest=sources.adapters[path], scale=scale) for path, scale in adapters
        ),
        adapter_paths=tuple(sources.labels.get(path, path) for path, _ in adapters),
        adapter_manifests=tuple(sources.manifests.get(path) for path, _ in adapters),
        control=None if control is None else _control(control, settings, sources),
        control_path=control_path,
        control_manifest=control_manifest,
        likeness=None if likeness is None else _likeness(likeness, settings, sources),
        likeness_path=likeness_path,
        likeness_manifest=likeness_manifest,
        upscale=None if upscale is None else _upscale(upscale, settings, sources),
        upscaler_path=upscaler_path,
        upscaler_manifest=upscaler_manifest,
    )


def _place(
    written: WrittenControl | WrittenLikeness | WrittenUpscale | None, sources: Sources
) -> tuple[str | None, str | None]:
    """Path and manifest of what a campaign names beside its model."""
    if written is None:
        return None, None
    return sources.labels.get(written.model, written.model), sources.manifests.get(written.model)


def _control(written: WrittenControl, settings: Settings, sources: Sources) -> Control:
    return Control(
        digest=sources.controls[written.model],
        scale=float(settings.control_scale or written.scale),
        until=float(written.until),
        mode=None if settings.control_kind is None else MODES[settings.control_kind],
    )


def _likeness(written: WrittenLikeness, settings: Settings, sources: Sources) -> Likeness:
    return Likeness(
        digest=sources.ip_adapters[written.model],
        scale=float(settings.likeness_scale or written.scale),
        of=settings.likeness_of or written.of,
    )


def _upscale(written: WrittenUpscale, settings: Settings, sources: Sources) -> Upscale:
    digest = sources.upscalers.get(written.model)
    return Upscale(
        by=settings.upscale_by or written.by, digest=digest, tile=None if digest is None else TILE
    )


def _adapters(campaign: Campaign, settings: Settings) -> Sequence[tuple[str, float]]:
    """Path and scale of each adapter: first those that all renders have, then that of an axis."""
    adapters = [(adapter.lora, float(adapter.scale)) for adapter in campaign.adapters]
    if settings.lora is not None and settings.lora != NONE:
        scale = DEFAULT_SCALE if settings.lora_scale is None else settings.lora_scale
        adapters.append((settings.lora, float(scale)))
    return adapters
