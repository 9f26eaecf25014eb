"""How a plugin is built: builder, recipe, preparation, sandbox, work, output, fingerprint, packing, failures."""

from pluginyard.builds.builder import Builder, choose_builder, load_builder
from pluginyard.builds.definition import Command, Definition, HostDefinition
from pluginyard.builds.failures import (
    EXPIRED,
    KEPT_LINES,
    StepResult,
    check_toolchain,
    explain_failure,
    host_note,
    image_error,
    no_toolchain,
    output_error,
    prepared_error,
    require_success,
    script_error,
    site_file_error,
)
from pluginyard.builds.fingerprint import fingerprint_of
from pluginyard.builds.output import LONGEST_ANNOUNCEMENT, announced_size
from pluginyard.builds.packing import ARCHIVE_NAME, pack_module
from pluginyard.builds.preparation import CA_NAME, PREPARED, SCRIPTS, PluginScript
from pluginyard.builds.recipe import (
    MIB,
    MODULE_BYTES,
    BuildStep,
    BuiltModule,
    HostChoice,
    Recipe,
    StepName,
    plan_recipe,
)
from pluginyard.builds.sandbox import (
    CA_FILE,
    GRACE_SECONDS,
    NETRC_FILE,
    NOBODY,
    RUN_LABEL,
    WORK,
    Sandbox,
    container_config,
    fits_in_memory,
)
from pluginyard.builds.work import FileContent, WorkFile, lay_out_work
