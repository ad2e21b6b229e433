"""A platform from Python, as an inline program of the Automation API: it needs no language host, and no SDK of the package."""

import json
import os
import sys

import pulumi
from pulumi import automation


def program() -> None:
    arguments = json.loads(sys.stdin.read())
    arguments["host"]["privateKey"] = pulumi.Output.secret(arguments["host"]["privateKey"])
    outputs = {"platform": None}
    prod = pulumi.ComponentResource("gatehouse:index:Gatehouse", "prod", arguments | outputs, None, True)
    prod_platform: pulumi.Output[dict] = prod.platform  # type: ignore[attr-defined]
    pulumi.export("issuer", prod_platform["authentik"]["issuer"])


options = automation.LocalWorkspaceOptions(work_dir=os.getcwd())
stack = automation.create_stack("dev", "python", program, opts=options)
result = stack.up()
print(result.outputs["issuer"].value)
stack.destroy()
