"""How a plugin is built: builder, recipe, sandbox, fingerprint, packing, log, failures."""

from pluginyard.builds.builder import Builder, Command, Definition, HostDefinition, choose_builder, load_builder
from pluginyard.builds.failures import (
    StepName,
    check_toolchain,
    explain_failure,
    image_error,
    output_error,
    site_file_error,
    time_limit_error,
)
from pluginyard.builds.fingerprint import fingerprint_of
from pluginyard.builds.log import BuildLog
from pluginyard.builds.packing import ARCHIVE_NAME, pack_module
from pluginyard.builds.recipe import MIB, BuildSettings, BuildStep, BuiltModule, Limits, Recipe, plan_recipe
from pluginyard.builds.sandbox import (
    CA_FILE,
    CA_VARIABLES,
    CACHE,
    FETCHED,
    MEMORY_CONTEXT,
    NETRC_FILE,
    NOBODY,
    RUN_LABEL,
    SHARED_LABEL,
    WORK,
    container_config,
    volume_mount,
)
