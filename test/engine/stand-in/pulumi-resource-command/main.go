// A test fixture standing in for the command provider 1.2.1, which is not available as a Go module; a difference in
// behaviour is a bug in the fixture. It has local.Command, remote.Command and local.run, without assets.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"lab.invalid/engine/cli/stand-in/provider"
)

// The inputs of a command, and in a state also its output.
type arguments struct {
	Create, Update, Delete   *string
	Command                  string // only for local.run
	Connection               connection
	Environment              map[string]string
	Stdin                    string
	AddPreviousOutputInEnv   *bool
	Logging                  *string
	Interpreter              []string
	Dir                      string
	AssetPaths, ArchivePaths []string
	Stdout, Stderr           string
}

// The output of the last run, for the environment of the next one.
func (args arguments) previousOutput(stdout, stderr string) map[string]string {
	variables := map[string]string{}
	if args.AddPreviousOutputInEnv != nil && !*args.AddPreviousOutputInEnv {
		return variables
	}
	if stdout != "" {
		variables["PULUMI_COMMAND_STDOUT"] = stdout
	}
	if stderr != "" {
		variables["PULUMI_COMMAND_STDERR"] = stderr
	}
	return variables
}

// A way to run a command; the output is returned separately from an error.
type runner func(call provider.Call, command string, args arguments, previous map[string]string) (stdout, stderr string, err error)

const (
	stdout = resource.PropertyKey("stdout")
	stderr = resource.PropertyKey("stderr")
)

func withOutput(inputs provider.Props, out, err resource.PropertyValue) provider.Props {
	outputs := maps.Clone(inputs)
	outputs[stdout], outputs[stderr] = out, err
	return outputs
}

func printed(inputs provider.Props, out, err string) provider.Props {
	return withOutput(inputs, resource.NewProperty(out), resource.NewProperty(err))
}

func commandResource(run runner, check func(provider.Props) (provider.Props, []plugin.CheckFailure)) provider.Resource {
	return provider.Resource{
		Check:     check,
		ReplaceOn: func(path string) bool { return path == "triggers" }, // the SDK itself reports that a single trigger replaces

		Create: func(call provider.Call, inputs provider.Props) (string, provider.Props, error) {
			random := make([]byte, 4)
			rand.Read(random) // never returns an error
			id := call.Name + hex.EncodeToString(random)
			if call.Preview {
				return id, withOutput(inputs, provider.Unknown(), provider.Unknown()), nil
			}
			var args arguments
			if err := provider.Decode(inputs, &args); err != nil {
				return "", nil, err
			}
			if args.Create == nil {
				return id, printed(inputs, "", ""), nil
			}
			out, errors, err := run(call, *args.Create, args, nil)
			return id, printed(inputs, out, errors), err
		},

		Update: func(call provider.Call, state, inputs provider.Props) (provider.Props, error) {
			old := provider.Plain(state)
			if call.Preview {
				if inputs.ContainsUnknowns() || changed(state, inputs) {
					return withOutput(inputs, provider.Unknown(), provider.Unknown()), nil
				}
				return withOutput(inputs, old[stdout], old[stderr]), nil
			}
			var args, before arguments
			if err := provider.Decode(inputs, &args); err != nil {
				return nil, err
			}
			if err := provider.Decode(state, &before); err != nil {
				return nil, err
			}
			command := args.Update
			if command == nil {
				command = args.Create
			}
			if command == nil {
				return withOutput(inputs, old[stdout], old[stderr]), nil
			}
			out, errors, err := run(call, *command, args, args.previousOutput(before.Stdout, before.Stderr))
			return printed(inputs, out, errors), err
		},

		Delete: func(call provider.Call, state provider.Props) error {
			var args arguments
			if err := provider.Decode(state, &args); err != nil || args.Delete == nil {
				return err
			}
			_, _, err := run(call, *args.Delete, args, args.previousOutput(args.Stdout, args.Stderr))
			return err
		},
	}
}

// Whether an input has changed.
func changed(state, inputs provider.Props) bool {
	for key, value := range state {
		if key != stdout && key != stderr && !value.DeepEquals(inputs[key]) {
			return true
		}
	}
	return false
}

// The real provider also marks these inside the secret connection; otherwise each would see changes in the other's
// states.
func withSecrets(connection resource.PropertyValue) resource.PropertyValue {
	if !connection.IsObject() {
		return connection // unknown in a preview
	}
	marked := maps.Clone(connection.ObjectValue())
	for key, value := range marked {
		switch key {
		case "privateKey", "password", "privateKeyPassword":
			marked[key] = secret(value)
		case "proxy":
			marked[key] = withSecrets(value)
		}
	}
	return resource.NewProperty(marked)
}

func secret(value resource.PropertyValue) resource.PropertyValue {
	if value.IsSecret() {
		return value
	}
	return resource.MakeSecret(value)
}

func checkRemote(inputs provider.Props) (provider.Props, []plugin.CheckFailure) {
	connection, ok := inputs["connection"]
	if !ok {
		return inputs, []plugin.CheckFailure{{Property: "connection", Reason: "missing required field 'connection'"}}
	}
	if connection.IsSecret() {
		connection = connection.SecretValue().Element
	}
	checked := maps.Clone(inputs)
	checked["connection"] = resource.MakeSecret(withSecrets(connection))
	return checked, nil
}

func runOnce(call provider.Call, inputs provider.Props) (provider.Props, error) {
	var args arguments
	if err := provider.Decode(inputs, &args); err != nil {
		return nil, err
	}
	out, errors, err := runLocal(call, args.Command, args, nil)
	return printed(inputs, out, errors), err
}

func main() {
	(&provider.Provider{
		Name:    "command",
		Version: "1.2.1",
		// The framework that the real provider of this version is built with; it reports this version.
		Framework: provider.Props{"__pulumi-go-provider-version": resource.NewProperty("1.2.0")},
		Resources: map[tokens.Type]provider.Resource{
			"command:local:Command":  commandResource(runLocal, nil),
			"command:remote:Command": commandResource(runRemote, checkRemote),
		},
		Functions: map[tokens.ModuleMember]func(provider.Call, provider.Props) (provider.Props, error){
			"command:local:run": runOnce,
		},
	}).Serve()
}
