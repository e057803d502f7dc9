"""Sphinx settings. `make docs` builds with `-W -n`: a warning or a reference that leads nowhere is an error."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "mediation"
release = importlib.metadata.version("mediation")
version = release
author = "The mediation authors"
project_copyright = author

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.mathjax", "numpydoc"]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
# `autosummary_context` holds a function, which Sphinx cannot keep between builds: it is the same in each of them.
suppress_warnings = ["config.cache"]

html_theme = "furo"
html_title = f"mediation {release}"
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["wide.css"]

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
# Classes and functions are documented under the package that exports them, whatever file they are written in.
autosummary_generate = True
autosummary_generate_overwrite = True

# The site is built without a network, so there is no inventory of other projects to look their names up in. Names that
# belong to them are let through, here and nowhere else; every name of this package must resolve.
_OTHERS = (
    "abc|enum|inspect|types|torch|np|numpy|pd|pandas|scipy|matplotlib|transformers|nnsight|statsmodels|typer|tqdm|collections|pathlib|typing|os|"
    "Tensor|Axes|Figure|DataFrame|Series|Generator|NDArray|Array|Path|Module|PreTrainedModel|PreTrainedTokenizerFast|ProcessorMixin"
)
nitpick_ignore_regex = [
    (r"py:.*", rf"({_OTHERS})(\..*)?"),
    # Type variables, and what no package exports, have no page: they are not part of the contract. What is exported
    # is found by `_public_path` before this list is asked.
    (r"py:(class|obj)", r"(.*\.)?[A-Z]$"),
    (r"py:.*", r"mediation(\.\w+)*\._\w+(\.\w+)*"),
]


def public(package: str) -> dict[str, list[str]]:
    """Return the names that `package` exports and that are ours, by kind; the API templates call it.

    The names of the top level are documented where they come from, but for those that only it exports.
    """
    home = "mediation._" if package == "mediation" else package
    module = importlib.import_module(package)
    kinds: dict[str, list[str]] = {"Classes": [], "Functions": [], "Data": []}
    for name in sorted(getattr(module, "__all__", dir(module))):
        value = getattr(module, name)
        if name.startswith("_") or inspect.ismodule(value):
            continue
        if not getattr(value, "__module__", "").startswith(home):
            continue
        kind = "Classes" if inspect.isclass(value) else "Functions" if inspect.isroutine(value) else "Data"
        kinds[kind].append(name)
    return {kind: names for kind, names in kinds.items() if names}


autosummary_context = {"public": public}


def _public_path(app: Sphinx, env: BuildEnvironment, node: Any, contnode: nodes.Node) -> nodes.Node | None:
    """Resolve `mediation.sites._site.Site`, which type hints say, as `mediation.sites.Site`, which is documented."""
    target = str(node.get("reftarget", ""))
    parts = target.split(".")
    shorter = [".".join(part for part in parts if not part.startswith("_"))]
    if len(parts) == 1:  # a bare name, as docstrings and unevaluated hints write it
        shorter = [name for name in env.domains.python_domain.objects if name.rpartition(".")[2] == target]
    for name in shorter:
        entry = env.domains.python_domain.objects.get(name)
        if entry is not None and name != target:
            uri = app.builder.get_relative_uri(node.get("refdoc", env.docname), entry.docname)
            return _reference(f"{uri}#{entry.node_id}", contnode)
    return None


def _reference(uri: str, content: nodes.Node) -> nodes.Node:
    from docutils import nodes

    return nodes.reference("", "", content, internal=True, refuri=uri)


def _readable_defaults(*event: Any) -> tuple[str | None, str | None]:
    """Write `...` for a default that a factory makes: `<factory>` is no Python, and Sphinx would split it wrongly."""
    signature, returned = event[-2:]
    return (signature.replace("<factory>", "...") if signature else signature), returned


def _unwrapped() -> None:
    """Document functions below their decorator, whose file does not know the names in their signatures."""
    import mediation

    for info in pkgutil.walk_packages(mediation.__path__, "mediation."):
        if not info.name.endswith("__main__"):
            module = importlib.import_module(info.name)
            for name, value in list(vars(module).items()):
                if inspect.isfunction(value) and hasattr(value, "__wrapped__"):
                    setattr(module, name, value.__wrapped__)


def setup(app: Sphinx) -> None:
    """Connect what is defined above."""
    _unwrapped()
    app.connect("missing-reference", _public_path)
    app.connect("autodoc-process-signature", _readable_defaults)
