"""Starts one node after the other in one process, each with settings that do not let it start.

Standard input has them as JSON: by name their variables and arguments. What is written is what a person would
see, and at the end of each how it ended.
"""

from __future__ import annotations

import json
import os
import sys
import traceback

from longshore_server.commands.serve import serve


def main() -> None:
    for name, (variables, arguments) in json.load(sys.stdin).items():
        os.environ.update(variables)
        try:
            serve.main(arguments, standalone_mode=False)
            ended: object = "well"
        except SystemExit as end:
            ended = end.code
        except BaseException:
            traceback.print_exc()
            ended = "by a fault"
        for variable in variables:
            del os.environ[variable]
        print(f"{name}: ended {ended}", flush=True)


if __name__ == "__main__":
    main()
