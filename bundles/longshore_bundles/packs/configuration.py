"""The JSON Schema of a pack's configuration: ``conf_schema``, or StackStorm's ``config.schema.yaml``.

StackStorm's has a schema for each setting, and in it whether that setting is required.
"""

from __future__ import annotations

from collections.abc import Mapping

from longshore_bundles.bundle_files import CONFIG_SCHEMA_YAML, BundleFiles
from longshore_bundles.documents import Document, JsonValue, ReadingBudget, read_yaml
from longshore_bundles.documents.fields import Fields, mapping
from longshore_bundles.documents.findings_about import FindingsAbout
from longshore_bundles.required_flags import flags_as_lists, required_names
from longshore_bundles.schemas.json_schemas import check_json_schema


def configuration_schema(
    files: BundleFiles, fields: Fields, findings: FindingsAbout, budget: ReadingBudget
) -> Mapping[str, JsonValue] | None:
    """The schema; None where there is none. It is held against the schema of schemas.

    ``fields`` and ``findings`` are the manifest's, which counts where both are there.
    """
    if "conf_schema" in fields:
        schema = mapping(fields, "conf_schema")
        if schema is not None:
            check_json_schema(schema, ("conf_schema",), findings)
        return schema
    if CONFIG_SCHEMA_YAML not in files:
        return None
    document = read_yaml(files[CONFIG_SCHEMA_YAML].content, CONFIG_SCHEMA_YAML, findings.log, budget=budget)
    return _as_json_schema(document, FindingsAbout(document, findings.log)) if document is not None else None


def _as_json_schema(document: Document, findings: FindingsAbout) -> Mapping[str, JsonValue] | None:
    if not isinstance(document.value, dict):
        findings.error("WRONG_TYPE", "the file must be a mapping: a schema for each setting by its name")
        return None
    properties: dict[str, JsonValue] = {}
    for name, setting in document.value.items():
        if not isinstance(setting, dict):
            findings.error("WRONG_TYPE", "the schema of a setting must be a mapping", (name,))
            continue
        schema = flags_as_lists(setting)
        check_json_schema(schema, (name,), findings)
        properties[name] = schema
    return {"type": "object", "properties": properties, "required": required_names(document.value)}
