"""The one door to container engines: find one, have a builder's image on it, build a module in it.

>>> engine = find_engine()  # doctest: +SKIP
>>> image = ensure_builder_image(engine, builder, site, print)  # doctest: +SKIP
>>> build_in_container(engine, image, recipe, source, target, source_bytes=9, run_id="42", log=print)  # doctest: +SKIP
"""

from tasks.doors.containers.builds import build_in_container
from tasks.doors.containers.engines import Engine, find_engine, require_engine
from tasks.doors.containers.images import BuilderImage, ensure_builder_image
from tasks.doors.containers.leftovers import remove_leftovers
from tasks.doors.containers.search import EngineSearch, search_engine
