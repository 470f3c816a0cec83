"""log_figure and log_image: pictures as artifacts, from Matplotlib, Plotly, Pillow, NumPy."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from ledgit.errors import InvalidName, InvalidValue, MissingDependency, UsageError
from ledgit.tracking.files import log_bytes, log_text
from ledgit.tracking.runs import current

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["Image", "log_figure", "log_image", "to_png"]

LOGGED_IMAGES = "mlflow.loggedImages"


class Image:
    """A picture to log: from an array, a Pillow image, or the path of a file."""

    def __init__(self, image: Any) -> None:
        if isinstance(image, str | os.PathLike):
            self.image = _pillow().open(image)
        else:
            self.image = _to_pillow(image)

    def to_pil(self) -> PIL.Image.Image:
        """Return it as a Pillow image."""
        image: PIL.Image.Image = self.image
        return image

    def to_array(self) -> Any:
        """Return it as a NumPy array, height × width (× channels)."""
        import numpy as np

        return np.array(self.image)

    def to_list(self) -> Any:
        """Return its pixels as nested lists."""
        return self.to_array().tolist()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file."""
        self.image.save(path)


def log_figure(figure: Any, artifact_file: str, *, save_kwargs: dict[str, Any] | None = None) -> None:
    """Log a Matplotlib or Plotly figure as an artifact.

    Args:
        figure: ``matplotlib.figure.Figure`` (any format Matplotlib writes, by the file's
            ending) or ``plotly.graph_objects.Figure`` (``.html``, or an image where Plotly's
            ``kaleido`` is installed).
        artifact_file: Path inside the run, for example ``plots/loss.png``.
        save_kwargs: Handed to ``savefig``, ``to_html`` or ``to_image``.

    Raises:
        InvalidValue: It is neither kind of figure.
        MissingDependency: Plotly needs ``kaleido`` for this format.
    """
    options = dict(save_kwargs or {})
    kind = os.path.splitext(artifact_file)[1].lstrip(".").lower()
    module = type(figure).__module__.partition(".")[0]
    if hasattr(figure, "savefig"):
        import io

        stream = io.BytesIO()
        figure.savefig(stream, **{"format": kind or "png", **options})
        log_bytes(stream.getvalue(), artifact_file)
    elif module == "plotly" or hasattr(figure, "to_plotly_json"):
        if kind in {"html", "htm", ""}:
            # The library is 4 MB: embed it with save_kwargs={"include_plotlyjs": True}.
            log_text(figure.to_html(**{"include_plotlyjs": "cdn", **options}), artifact_file)
            return
        try:
            data = figure.to_image(**{"format": kind, **options})
        except (ImportError, ValueError) as error:
            if "kaleido" in str(error).lower():
                raise MissingDependency(f"writing a Plotly figure as .{kind}", "kaleido") from error
            raise
        log_bytes(data, artifact_file)
    else:
        raise InvalidValue("the figure", figure, "a Matplotlib or Plotly figure")


def log_image(
    image: Any,
    artifact_file: str | None = None,
    key: str | None = None,
    step: int | None = None,
    timestamp: int | None = None,
    synchronous: bool | None = False,  # noqa: ARG001 - MLflow's signature
) -> None:
    """Log a picture as an artifact: once, or at each step of a training.

    Args:
        image: A NumPy array (height × width, or × 1, 3 or 4 channels; integers 0–255, floats
            0–1, or bools), a torch tensor of that shape, a Pillow image or :class:`Image`.
        artifact_file: Path inside the run; then without *key*, *step* and *timestamp*.
        key: Name of a series of pictures; each becomes
            ``images/<key>+step+<step>+timestamp+<ms>+<random>.png`` (``/`` in *key* as ``~``).
        step: Step in the series; 0 if None.
        timestamp: Milliseconds since the epoch; now if None.
        synchronous: Accepted for MLflow's sake.

    Raises:
        UsageError: Both or neither of *artifact_file* and *key*.
        InvalidName: *key* has other characters than letters, digits, ``_ - . /`` and space.
        InvalidValue: It is no picture.
    """
    if artifact_file is not None and any(given is not None for given in (key, step, timestamp)):
        raise UsageError("log_image takes artifact_file alone, or key with step and timestamp, not both")
    if artifact_file is None and key is None:
        raise UsageError("log_image needs artifact_file (one picture) or key (a series of them)")
    if artifact_file is not None:
        log_bytes(to_png(image, os.path.splitext(artifact_file)[1]), artifact_file)
        return
    assert key is not None
    if not key or not all(letter.isascii() and (letter.isalnum() or letter in "_-./ ") for letter in key):
        raise InvalidName("image", key, "may only have letters, digits, '_', '-', '.', '/' and spaces")
    import uuid

    when = int(time.time() * 1000) if timestamp is None else int(timestamp)
    name = f"images/{key.replace('/', '~')}+step+{step or 0}+timestamp+{when}+{uuid.uuid4()}.png"
    log_bytes(to_png(image), name)
    run = current().store
    if LOGGED_IMAGES not in run.tags:
        run.set_tags({LOGGED_IMAGES: "true"})


def to_png(image: Any, ending: str = ".png") -> bytes:
    """Return *image* as the bytes of a picture file, in the format that *ending* names."""
    import io

    picture = image.to_pil() if isinstance(image, Image) else _to_pillow(image)
    registered = _pillow().registered_extensions()
    kind = registered.get(ending.lower() or ".png")
    if kind is None:
        raise InvalidValue("the picture's file ending", ending, "one that Pillow can write, such as .png")
    if kind == "JPEG" and picture.mode not in {"L", "RGB", "CMYK"}:
        picture = picture.convert("RGB")
    stream = io.BytesIO()
    picture.save(stream, format=kind)
    return stream.getvalue()


def _pillow() -> Any:
    try:
        import PIL.Image
    except ImportError as error:
        raise MissingDependency("logging pictures", "pillow") from error
    return PIL.Image


def _to_pillow(image: Any) -> Any:
    pillow = _pillow()
    if isinstance(image, pillow.Image):
        return image
    if hasattr(image, "detach") and hasattr(image, "cpu"):  # a torch tensor
        image = image.detach().cpu().numpy()
    import numpy as np

    if isinstance(image, list):
        image = np.array(image)
    if not isinstance(image, np.ndarray):
        raise InvalidValue("the picture", image, "a NumPy array, a Pillow image or ledgit.Image")
    if image.dtype.kind not in "biuf":
        raise InvalidValue("the picture's element type", str(image.dtype), "bool, integer or floating")
    if image.ndim not in {2, 3} or (image.ndim == 3 and image.shape[2] not in {1, 3, 4}):
        raise InvalidValue("the picture's shape", image.shape, "height × width, or height × width × 1, 3 or 4 channels")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    return pillow.fromarray(_to_bytes(image))


def _to_bytes(pixels: Any) -> Any:
    """Return *pixels* as 8-bit values; floats outside 0–1 are stretched to that range, and said so."""
    import numpy as np

    whole = pixels.dtype.kind in "iu"
    low, high = (pixels.min(), pixels.max()) if pixels.size else (0, 0)
    if whole and (low < 0 or high > 255):
        raise InvalidValue("the picture's values", (int(low), int(high)), "integers from 0 to 255")
    if not whole:
        pixels = pixels.astype(np.float64)
        if low < 0 or high > 1:
            import warnings

            from ledgit.errors import LedgitWarning

            text = f"the picture's values go from {low} to {high} and were stretched to 0–1"
            warnings.warn(LedgitWarning(text), stacklevel=5)
            pixels = (pixels - low) / ((high - low) or 1)
        pixels = pixels * 255
    return pixels.astype(np.uint8)
