// A test fixture; see main.go.
package main

import (
	"fmt"
	"maps"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"

	"lab.invalid/engine/cli/stand-in/provider"
)

func runRemote(
	call provider.Call, command string, args arguments, previous map[string]string,
) (stdout, stderr string, err error) {
	client, end, err := args.Connection.dial(call)
	if err != nil {
		return "", "", err
	}
	defer end() // the real one leaves the connection open until the plugin exits
	session, err := client.NewSession()
	if err != nil {
		return "", "", err
	}
	defer session.Close()

	variables := map[string]string{}
	maps.Copy(variables, args.Environment)
	maps.Copy(variables, previous)
	for name, value := range variables {
		refusal := session.Setenv(name, value)
		if refusal == nil {
			continue
		}
		unable := fmt.Sprintf(
			"Unable to set '%s': it works only where the SSH server accepts the variable (AcceptEnv)", name)
		if _, optional := previous[name]; optional {
			call.Log(diag.Warning, unable)
			continue
		}
		call.Log(diag.Error, unable)
		return "", "", fmt.Errorf("could not set environment variable %q: %w", name, refusal)
	}

	out := newOutput(call, args.Logging)
	session.Stdin = strings.NewReader(args.Stdin)
	session.Stdout, session.Stderr = &out.stdout, &out.stderr
	return out.finish(command, session.Run(command))
}
