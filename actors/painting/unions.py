"""ControlNets that are unions of several: the transformer in them that tells the kinds of pictures
apart looks across the rows of a batch.
"""

from collections.abc import Sequence
from typing import Any

import diffusers
import torch
from torch import Tensor


class UnionOneByOne(diffusers.ControlNetUnionModel):  # type: ignore[misc]  # untyped
    """Looks at each picture of a batch alone, with its negative beside it, as the pipeline of
    diffusers does for one picture. All at once, neighbours would count.
    """

    pictures = 1

    def forward(
        self,
        sample: Tensor,
        timestep: Any,
        encoder_hidden_states: Tensor,
        controlnet_cond: Sequence[Tensor],
        control_type: Tensor,
        added_cond_kwargs: dict[str, Tensor],
        **more: Any,
    ) -> tuple[list[Tensor], Tensor]:
        """The answers that the U-Net adds: one for each of its levels [rows, channels, h, w], and
        one for its middle. The rows of a picture are `pictures` apart.
        """
        answers = [
            super(UnionOneByOne, self).forward(
                sample[own],
                timestep,
                encoder_hidden_states[own],
                [cond[own] for cond in controlnet_cond],
                control_type[own],
                added_cond_kwargs={name: part[own] for name, part in added_cond_kwargs.items()},
                **more,
            )
            for own in (slice(k, None, self.pictures) for k in range(self.pictures))
        ]
        levels = zip(*(down for down, _ in answers), strict=True)
        return [_woven(parts) for parts in levels], _woven([middle for _, middle in answers])


def _woven(parts: Sequence[Tensor]) -> Tensor:
    """The rows of all pictures, in the order in which they came."""
    return torch.stack(tuple(parts), dim=1).flatten(0, 1)
