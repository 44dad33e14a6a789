"""The templates of all pages, with one environment: what is not there is an error, and everything is escaped."""

from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from reports.basics.units import counted, number, quantity

_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.filters |= {"number": number, "quantity": quantity, "counted": counted}


def template(name: str) -> Template:
    """Return a template of reports/templates by its file name."""
    return _ENVIRONMENT.get_template(name)
