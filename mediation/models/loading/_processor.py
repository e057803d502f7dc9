"""Processors of vision-language checkpoints: images and text to tensors, with or without torchvision."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast, final

from ..._checks import called
from ...errors import BackendError, DesignError
from ._hostile import check_switches

if TYPE_CHECKING:
    from transformers import ProcessorMixin

# The files in which a checkpoint keeps its processor, the newer first.
_FILES = ("processor_config.json", "preprocessor_config.json")
# The options of `from_pretrained` that say where files are.
_PLACES = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "subfolder", "token")
_FAILURES = (
    *(OSError, ValueError, ImportError, TypeError, AttributeError, LookupError),
    *(RuntimeError, ArithmeticError, MemoryError),
)


def load_processor(source: str, **options: Any) -> Any | None:
    """Load the processor of a checkpoint, which turns images and text into tensors.

    Images only: videos are not supported by this package. Where torchvision is missing, `transformers` cannot make
    a processor that has a part for videos; it is then made without that part (see `still_images`).

    Parameters
    ----------
    source
        A hub id or a local directory.
    **options
        Arguments of ``transformers.AutoProcessor.from_pretrained``, such as ``trust_remote_code`` or ``revision``.

    Returns
    -------
    transformers.ProcessorMixin or None
        None where the checkpoint has none, or one without an ``image_processor``: a text-only model.

    Raises
    ------
    BackendError
        If the files of the processor cannot be read, or a package that it needs is missing.
    DesignError
        If ``trust_remote_code`` is not True or False.

    Examples
    --------
    >>> import tempfile
    >>> from mediation.testing import tiny_processor
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     _ = tiny_processor("smolvlm").save_pretrained(directory)
    ...     type(load_processor(directory)).__name__
    'SmolVLMProcessor'
    """
    check_switches(options)
    if not _has_files(source, options):
        return None
    try:
        processor = _read(source, options)
    except _FAILURES as error:
        raise BackendError(_reason(source, error)) from error
    return processor if getattr(processor, "image_processor", None) is not None else None


def still_images(processor_class: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """Return a subclass of a processor's class that has no part for videos, and so needs no torchvision.

    It has the same name, reads the same files, and writes files that the class itself reads where torchvision is
    installed. Text and images are processed by the class's own code. A video raises a DesignError.

    Parameters
    ----------
    processor_class
        A class of processors of `transformers`.

    Returns
    -------
    type[transformers.ProcessorMixin]
        `processor_class` itself if it has no part for videos.

    Examples
    --------
    >>> from transformers import LlavaProcessor, Qwen3VLProcessor
    >>> still_images(LlavaProcessor) is LlavaProcessor, still_images(Qwen3VLProcessor) is Qwen3VLProcessor
    (True, False)
    >>> still_images(Qwen3VLProcessor).get_attributes()
    ['image_processor', 'tokenizer']
    """
    if not _has_videos(processor_class):
        return processor_class
    base: Any = processor_class
    return cast("type[ProcessorMixin]", _without_videos(base))


def image_only(processor_class: type[ProcessorMixin], image_processor: Any, tokenizer: Any, **options: Any) -> Any:
    """Make a processor from its parts, without the part for videos.

    Parameters
    ----------
    processor_class
        A class of processors of `transformers`, such as ``Qwen2_5_VLProcessor``.
    image_processor, tokenizer
        Its parts.
    **options
        Further arguments of the class, such as ``chat_template`` or ``image_seq_len``.

    Returns
    -------
    transformers.ProcessorMixin
        An instance of ``still_images(processor_class)``, and so of `processor_class`.

    Raises
    ------
    BackendError
        If a package that the class needs is missing.
    """
    without = {"video_processor": None} if _has_videos(processor_class) else {}
    make: Any = still_images(processor_class)
    try:
        return make(image_processor=image_processor, tokenizer=tokenizer, **without, **options)
    except ImportError as error:
        raise BackendError(_reason(processor_class.__name__, error)) from error


@final
class _NoVideos:
    """Stands where the part for videos would be: it says that there is none."""

    num_frames = None
    fps = None

    def __call__(self, videos: Any, **_: Any) -> Any:
        raise DesignError(f"videos={called(videos)}: only images and text are supported. Give frames as images.")


@cache
def _without_videos(base: Any) -> Any:
    """Make the subclass of `base` that `still_images` returns."""

    class StillImages(base):  # type: ignore[misc]
        # Of the class, not of the instance: transformers takes attributes of the instance for parts of the processor.
        video_processor = _NoVideos()

        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in super().get_attributes() if name != "video_processor"]

        @classmethod
        def from_args_and_dict(cls, args: list[Any], processor_dict: dict[str, Any], **kwargs: Any) -> Any:
            parts = dict(zip(cls.get_attributes(), args, strict=True))
            made = super().from_args_and_dict([], processor_dict, video_processor=None, **parts, **kwargs)
            processor = made[0] if isinstance(made, tuple) else made
            processor._videos = processor_dict.get("video_processor")
            return made

        def to_dict(self) -> dict[str, Any]:
            settings = getattr(self, "_videos", None) or {"video_processor_type": _video_processor_type(self)}
            return {**super().to_dict(), "video_processor": settings}

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(StillImages, name, getattr(base, name))
    return StillImages


def _video_processor_type(processor: Any) -> str:
    """Name of the class for videos: it goes by the processor's, else by the image processor's."""
    import transformers

    own = type(processor).__name__.replace("Processor", "VideoProcessor")
    images = type(processor.image_processor).__name__.removesuffix("Pil")
    return own if hasattr(transformers, own) else images.replace("ImageProcessor", "VideoProcessor")


def _has_videos(processor_class: Any) -> bool:
    return "video_processor" in processor_class.get_attributes()


def _has_files(source: str, options: dict[str, Any]) -> bool:
    from transformers.utils.hub import cached_file

    places = {name: options[name] for name in _PLACES if name in options}
    missing = ("gated_repo", "missing_entries", "connection_errors")
    quiet: Any = {f"_raise_exceptions_for_{what}": False for what in missing}
    return any(cached_file(source, file, **places, **quiet) is not None for file in _FILES)


def _read(source: str, options: dict[str, Any]) -> Any:
    from transformers import AutoProcessor
    from transformers.utils.import_utils import is_torchvision_available

    auto: Any = AutoProcessor
    try:
        return auto.from_pretrained(source, **options)
    except _FAILURES:
        if is_torchvision_available():
            raise
        kind = _class_of(source, options)
        if kind is None or not _has_videos(kind):
            raise
    return still_images(kind).from_pretrained(source, **options)


def _class_of(source: str, options: dict[str, Any]) -> Any | None:
    """Class of the processor, as its files name it or by the type of the model."""
    from transformers import AutoConfig, ProcessorMixin
    from transformers.image_processing_base import ImageProcessingMixin
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING, processor_class_from_name

    own, _ = ProcessorMixin.get_processor_dict(source, **options)
    name = own.get("processor_class")
    if name is None:
        images, _ = ImageProcessingMixin.get_image_processor_dict(source, **options)
        name = images.get("processor_class")
    kind: Any = processor_class_from_name(name) if name is not None else None
    if kind is None:
        config = AutoConfig.from_pretrained(source, **options)
        kind = PROCESSOR_MAPPING.get(type(config), None)
    return kind


def _reason(source: str, error: Exception) -> str:
    """Message of an error: what was asked, why it failed, what to do."""
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if "num2words" in first:
        return (
            f"{source!r}: its processor needs the package num2words, which is not installed. "
            "Run `pip install num2words`."
        )
    return (
        f"{source!r}: its processor could not be read ({first}). Check processor_config.json, "
        "preprocessor_config.json and the tokenizer's files beside the weights."
    )
