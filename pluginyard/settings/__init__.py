"""What a site, a repository and the receiver are configured with."""

from pluginyard.settings.addresses import Address, RegistryAddress, strip_credentials
from pluginyard.settings.local import (
    CLIENT_PASSWORD,
    LOOPBACK,
    SERVER_PASSWORD,
    LocalMachine,
    LocalSettings,
    read_local_settings,
)
from pluginyard.settings.receiver import MAX_BODY_BYTES, ReceiverSettings, find_ignored, load_receiver_settings
from pluginyard.settings.registries import choose_config_media_type, choose_registry_annotations, refuse_contradictions
from pluginyard.settings.repository import (
    FILE_NAME,
    Gateway,
    LanguageLayout,
    PluginFolder,
    RepositorySettings,
    load_configuration,
)
from pluginyard.settings.site import Site, choose_repository, describe_setting, load_site
from pluginyard.settings.site_variable import SITE_VARIABLE, check_site_variable
from pluginyard.settings.trusted import (
    FULL_NAME,
    TrustedRepositories,
    TrustedRepository,
    find_trusted,
    load_trusted,
)
