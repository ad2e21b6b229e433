// A test fixture standing in for the Node.js language host, which is not available as a Go module; a difference in
// behaviour is a bug in the fixture. This file runs plugins that are programs for Node: policy packs and providers.
package main

import (
	"errors"
	"fmt"
	"os/exec"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

func (host *languageHost) RunPlugin(
	request *pulumirpc.RunPluginRequest, stream pulumirpc.LanguageRuntime_RunPluginServer,
) error {
	switch request.GetKind() {
	case "analyzer":
		return host.runPolicyPack(request, stream)
	case "resource":
		return host.runProvider(request, stream)
	}
	return fmt.Errorf("the stand-in runs no %s plugins", request.GetKind())
}

// A provider runs in the working directory of the engine; its first argument is its own directory.
func (host *languageHost) runProvider(
	request *pulumirpc.RunPluginRequest, stream pulumirpc.LanguageRuntime_RunPluginServer,
) error {
	directory := request.GetInfo().GetProgramDirectory()
	run, err := findCommand(directory, "run-plugin")
	if err != nil {
		return err
	}
	streams, stdout, stderr, err := rpcutil.MakeRunPluginStreams(inTurn(stream), false)
	if err != nil {
		return err
	}
	defer streams.Close()
	provider := host.command(stream.Context(), append([]string{run, directory}, request.GetArgs()...)...)
	provider.Dir, provider.Env = request.GetPwd(), request.GetEnv()
	provider.Stdout, provider.Stderr = stdout, stderr
	return ended(provider.Run())
}

func ended(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return errors.New(exited(exit.ExitCode()))
	}
	return err
}
