"""A slide's own ICC profile, applied where that was chosen."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from healer.errors.slides import SlideDamaged
from healer.slides.reader import Rgba


class ToSrgb:
    """A transform from a profile to sRGB, of RGB alone."""

    def __init__(self, profile: bytes) -> None:
        """Raises SlideDamaged where the profile cannot be used."""
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            self._transform = ImageCms.buildTransform(
                source,
                ImageCms.createProfile("sRGB"),
                "RGB",
                "RGB",
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
            )
        except (OSError, ImageCms.PyCMSError):
            raise SlideDamaged("its ICC profile cannot be used; read it with raw colours") from None

    def apply(self, pixels: Rgba) -> Rgba:
        image = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
        ImageCms.applyTransform(image, self._transform, inPlace=True)
        return np.dstack([np.asarray(image), pixels[..., 3]])
