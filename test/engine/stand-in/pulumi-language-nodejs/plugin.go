// A test fixture standing in for the Node.js language host, which is not available as a Go module; a difference in
// behaviour is a bug in the fixture. This file runs plugins that are programs for Node: policy packs and providers.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

func (host *languageHost) RunPlugin(
	request *pulumirpc.RunPluginRequest, stream pulumirpc.LanguageRuntime_RunPluginServer,
) error {
	start, found := map[string]struct {
		command string
		run     func(*languageHost, plugin) error
	}{
		"analyzer": {"run-policy-pack", (*languageHost).runPolicyPack},
		"resource": {"run-plugin", (*languageHost).runProvider},
	}[request.GetKind()]
	if !found {
		return fmt.Errorf("the stand-in runs no %s plugins", request.GetKind())
	}
	directory := request.GetInfo().GetProgramDirectory()
	command, err := findCommand(directory, start.command)
	if err != nil {
		return err
	}
	streams, stdout, stderr, err := rpcutil.MakeRunPluginStreams(inTurn(stream), false)
	if err != nil {
		return err
	}
	defer streams.Close()
	return start.run(host, plugin{stream.Context(), request, command, directory, stdout, stderr})
}

// A plugin that the engine asks for: the SDK's command that runs it, its directory, and where its output goes.
type plugin struct {
	context            context.Context
	request            *pulumirpc.RunPluginRequest
	command, directory string
	stdout, stderr     io.Writer
}

// A provider runs in the working directory of the engine; its first argument is its own directory.
func (host *languageHost) runProvider(p plugin) error {
	provider := host.command(p.context, append([]string{p.command, p.directory}, p.request.GetArgs()...)...)
	provider.Dir, provider.Env = p.request.GetPwd(), p.request.GetEnv()
	provider.Stdout, provider.Stderr = p.stdout, p.stderr
	return ended(provider.Run())
}

func ended(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return errors.New(exited(exit.ExitCode()))
	}
	return err
}
