"""What a site, a repository and the receiver are configured with."""

from pluginyard.settings.addresses import Address, RegistryAddress, strip_credentials
from pluginyard.settings.receiver import ReceiverSettings, load_receiver_settings
from pluginyard.settings.registries import choose_config_media_type, choose_registry_annotations, refuse_contradictions
from pluginyard.settings.repository import (
    FILE_NAME,
    Gateway,
    LanguageLayout,
    PluginFolder,
    RepositorySettings,
    load_configuration,
)
from pluginyard.settings.site import Site, choose_repository, load_site
from pluginyard.settings.site_variable import SITE_VARIABLE, check_site_variable
from pluginyard.settings.trusted import (
    ADDRESS,
    FULL_NAME,
    SECRETS_FILE,
    TrustedRepositories,
    TrustedRepository,
    find_trusted,
    load_trusted,
)
