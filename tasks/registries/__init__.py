"""To the registries and back."""

from tasks.registries.lookup import find_published, look_up
from tasks.registries.observe import observe_published
from tasks.registries.publish import log_in, module_of, push_artifact, verify_artifact
from tasks.registries.session import Registries
from tasks.registries.tags import look_up_tags
