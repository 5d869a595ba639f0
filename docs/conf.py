"""Settings of the site, which docs/build.sh builds."""

import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE / "extensions"), str(ROOT / "bindings" / "python")]
os.environ.setdefault("DAS3_LIBRARY", str(ROOT / "build" / "libdas3.so"))

header = (ROOT / "include" / "das3.h").read_text(encoding="utf-8")
version = ".".join(
    re.search(rf"DAS3_VERSION_{part} (\d+)", header)[1] for part in ("MAJOR", "MINOR", "PATCH")
)

project = "libdas3"
author = "the authors of libdas3"
copyright = author
release = version
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "breathe",
    "docstrings",
    "mathml",
    "sources",
    "repository",
]
exclude_patterns = ["requirements.txt"]
root_doc = "index"
default_role = "code"
nitpicky = False
highlight_language = "none"
smartquotes = False

myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_inline"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {
    name: name for name in ("Frame", "FrameSource", "Frames", "npt.ArrayLike", "npt.NDArray[Any]")
}
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

# The build writes it; see build.sh.
breathe_projects = {"das3": os.environ.get("DAS3_DOXYGEN", str(ROOT / "build/docs/doxygen/xml"))}
breathe_default_project = "das3"
breathe_domain_by_extension = {"h": "c", "hpp": "cpp"}
breathe_show_include = False
c_maximum_signature_line_length = 88
cpp_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"libdas3 {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
html_math_renderer = "mathml"
