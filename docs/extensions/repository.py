"""Links from pages to files of the repository that are no pages.

On GitHub they lead to the file. The site has no files but its pages, so there the path is named in
place of the link.
"""

import pathlib
import posixpath
import re

ROOT = pathlib.Path(__file__).parents[2]
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s:#]+)(#[^)]*)?\)")


def rewrite(app, page, source):
    folder = posixpath.join("docs", posixpath.dirname(page))

    def shown(link):
        path = posixpath.normpath(posixpath.join(folder, link[2]))
        is_page = path.startswith("docs/") and path.endswith((".md", ".rst"))
        # What does not exist stays a link, of which the build then complains.
        if is_page or not (ROOT / path).exists():
            return link[0]
        text = link[1].strip("`")
        named = path in (text, f"{text}/") or posixpath.basename(path) == text
        return f"`{path}`" if named else f"{link[1]} (`{path}`)"

    source[0] = LINK.sub(shown, source[0])


def setup(app):
    app.connect("source-read", rewrite)
    return {"parallel_read_safe": True}
