# SPDX-License-Identifier: Apache-2.0
"""What MkDocs calls while it renders: the theme's dialog for searches has no name for those who cannot see it."""

DIALOG = 'data-md-component="search" role="dialog"'


def on_post_page(output, **_):
    assert DIALOG in output, "the theme has another dialog for searches"
    return output.replace(DIALOG, f'{DIALOG} aria-label="Search"')


def on_post_template(output_content, template_name, **_):
    """What is no page of the documents: the sitemap, and the page for what is not there."""
    return on_post_page(output_content) if template_name == "404.html" else output_content
