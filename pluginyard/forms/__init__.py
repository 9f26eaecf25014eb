"""The parameters of the flows, and so the forms in the UI."""

from pluginyard.forms.github_action import choose_arguments, choose_environment
from pluginyard.forms.publish import PublishRequest
from pluginyard.forms.repository import RepositoryRequest
from pluginyard.forms.verify import VerifyRequest
from pluginyard.forms.watch import WatchRequest
