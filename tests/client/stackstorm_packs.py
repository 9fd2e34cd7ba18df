"""Two packs as StackStorm's documentation tells to write them, with all kinds of files that it knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

WATCHDOG: Mapping[str, str] = {
    "pack.yaml": """\
---
ref: watchdog
name: Watch Dog
description: Looks after hosts, and does something about those that are down
keywords:
  - monitoring
  - hosts
version: 0.3.1
python_versions:
  - "2"
  - "3"
author: Operations, Inc.
email: ops@example.org
contributors:
  - "Ada <ada@example.org>"
stackstorm_version: ">=3.2.0, <4.0.0"
""",
    "config.schema.yaml": """\
---
api_key:
  description: "Key of the API"
  type: "string"
  required: true
  secret: true
region:
  type: "string"
  enum: ["eu", "us"]
  default: "eu"
  required: true
hosts:
  description: "What is looked at"
  type: "array"
  required: false
  items:
    type: "object"
    required: true
    additionalProperties: false
    properties:
      name: {type: "string", required: true}
      port: {type: "integer", default: 22}
""",
    "watchdog.yaml.example": "---\napi_key: none\n",
    "requirements.txt": "requests>=2.0\n",
    "icon.png": "no picture\n",
    "README.md": "# Watch Dog\n",
    "CHANGES.md": "# Changes\n",
    "actions/check_host.yaml": """\
---
name: "check_host"
pack: "watchdog"
runner_type: "python-script"
description: "Look whether a host answers"
enabled: true
entry_point: "check_host.py"
parameters:
  hostname:
    type: "string"
    description: "The host"
    required: true
    position: 0
  attempts:
    type: "integer"
    default: 3
  timeout:
    default: 30
    immutable: true
notify:
  on-complete: {routes: ["slack"]}
""",
    "actions/check_host.py": """\
from st2common.runners.base_action import Action


class CheckHost(Action):
    def run(self, hostname, attempts):
        return (True, {"hostname": hostname, "attempts": attempts})
""",
    "actions/lib/__init__.py": "",
    "actions/lib/dns.py": "def lookup(name):\n    return name\n",
    "actions/restart.meta.yaml": """\
---
name: restart
runner_type: remote-shell-script
description: Restart a service of a host
enabled: true
entry_point: scripts/restart.sh
parameters:
  service: {type: string, required: true, position: 1}
  sudo: {immutable: true, default: true}
""",
    "actions/scripts/restart.sh": "#!/usr/bin/env bash\nsystemctl restart $1\n",
    "actions/list_chain.yaml": """\
---
name: list_chain
runner_type: action-chain
description: A chain of actions
enabled: true
entry_point: chains/list.yaml
""",
    "actions/chains/list.yaml": """\
---
chain:
  - name: list
    ref: core.local
    parameters: {cmd: "uptime"}
default: list
""",
    "actions/ask.yaml": """\
---
name: ask
runner_type: inquirer
description: Ask somebody
enabled: true
entry_point: ""
parameters:
  schema: {type: object, default: {type: object, properties: {ok: {type: boolean, required: true}}}}
""",
    "actions/recover.yaml": """\
---
name: recover
pack: watchdog
description: Bring hosts back
runner_type: orquesta
entry_point: workflows/recover.yaml
enabled: true
tags:
  - {name: kind, value: recovery}
parameters:
  hosts:
    type: array
    required: true
    items: {type: string, required: true}
  service:
    type: string
    default: "{{ config_context.service | default('sshd') }}"
""",
    "actions/workflows/recover.yaml": """\
version: 1.0
description: Bring hosts back, and tell what became of it
input:
  - hosts
  - service: sshd
vars:
  - failed: []
  - tries: 0
output:
  - failed: <% ctx().failed %>
tasks:
  look:
    with:
      items: host in <% ctx().hosts %>
      concurrency: 2
    action: watchdog.check_host hostname=<% item(host) %>
    next:
      - when: <% succeeded() %>
        publish:
          - states: <% result() %>
        do: restart, note
      - when: <% failed() %>
        publish: failed=<% ctx().hosts %>
        do:
          - told
          - fail
  restart:
    action: watchdog.restart
    input:
      hosts: <% ctx().hosts.join(",") %>
      service: <% ctx().service %>
    retry:
      when: <% failed() %>
      count: 3
      delay: 5
    delay: 2
    next:
      - do: told
  note:
    action: core.local cmd="echo {{ ctx('states') }}"
    next:
      - when: <% succeeded() %>
        do: told
  told:
    join: all
    action: watchdog.notify
    input:
      text: "recovered: <% ctx().hosts %>"
""",
    "actions/notify.yaml": """\
---
name: notify
runner_type: orquesta
description: Tell everybody
enabled: false
entry_point: workflows/notify.yaml
parameters: {text: {type: string, required: true}}
""",
    "actions/workflows/notify.yaml": """\
version: 1.0
input: [text]
tasks:
  post:
    action: core.http url="https://chat.example.org" method=POST body=<% ctx().text %>
    next:
      - when: <% failed() and ctx().get(tries, 0) < 3 %>
        do: continue
      - when: <% failed() %>
        do: noop
""",
    "sensors/down_sensor.yaml": """\
---
class_name: "DownSensor"
entry_point: "down_sensor.py"
description: "Tells when a host is down"
poll_interval: 30
enabled: true
trigger_types:
  - name: "host_down"
    description: "A host is down"
    payload_schema: {type: "object", properties: {host: {type: "string"}}}
""",
    "sensors/down_sensor.py": "class DownSensor(object):\n    pass\n",
    "rules/recover_on_down.yaml": """\
---
name: recover_on_down
description: Bring back what is down
enabled: true
trigger: {type: watchdog.host_down}
criteria: {}
action: {ref: watchdog.recover, parameters: {hosts: ["{{ trigger.host }}"]}}
""",
    "aliases/recover.yaml": """\
---
name: recover
action_ref: watchdog.recover
formats: ["recover {{hosts}}"]
""",
    "policies/restart.concurrency.yaml": """\
---
name: restart.concurrency
resource_ref: watchdog.restart
policy_type: action.concurrency
parameters: {action: delay, threshold: 1}
""",
    "triggers/manual.yaml": "---\nname: manual\n",
    "tests/test_action_check_host.py": "",
    "tests/fixtures/answer.yaml": "---\n[1, 2\n",
}

OFFICE: Mapping[str, str] = {
    "pack.yaml": """\
---
name: office
description: What happens in an office
version: "1.2"
author: Ada
email: ada@example.org
python_versions: ["3"]
dependencies:
  - watchdog=0.3.1
""",
    "actions/morning.yaml": """\
---
name: morning
runner_type: orquesta
description: Look after the office in the morning
enabled: true
entry_point: workflows/morning.yaml
""",
    "actions/workflows/morning.yaml": """\
version: 1.0
vars:
  - rooms: [1, 2, 3]
tasks:
  wake:
    with: room in <% ctx().rooms %>
    action: watchdog.recover
    input:
      hosts: [<% item(room) %>]
    next:
      - when: <% completed() %>
        publish:
          - rooms: []
        do: log
  log:
    action: core.noop
""",
}


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root
