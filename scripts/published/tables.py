"""The tables that are compared, by name."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from published import open_clip_table, timm_table, torchvision_table
from published.counting import Subject
from published.row import Published


class Table(NamedTuple):
    """One published table.

    Attributes:
        read: yields its rows.
        make_subject: returns how a row's model is built and called.
    """

    read: Callable[[], Iterator[Published]]
    make_subject: Callable[[Published], Subject]


TABLES: Mapping[str, Table] = {
    timm_table.NAME: Table(timm_table.read_published, timm_table.make_subject),
    torchvision_table.NAME: Table(torchvision_table.read_published, torchvision_table.make_subject),
    torchvision_table.INT8_NAME: Table(
        torchvision_table.read_published_int8, torchvision_table.make_subject
    ),
    open_clip_table.NAME: Table(open_clip_table.read_published, open_clip_table.make_subject),
}
