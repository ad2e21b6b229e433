// A test fixture standing in for the Node.js language host, which is not available as a Go module; a difference in
// behaviour is a bug in the fixture. This file runs policy packs.
package main

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// A pack expects the stack's configuration in its environment, but the engine sends it only over gRPC. Therefore the
// engine talks to a server here, which waits for the configuration, then starts the pack, and forwards everything else.
func (host *languageHost) runPolicyPack(p plugin) error {
	proxy, attached, err := sdk.NewPolicyProxy(p.context, p.stdout)
	if err != nil {
		return err
	}
	config, err := proxy.AwaitConfiguration(p.context)
	if err != nil {
		return err
	}

	pack := host.command(p.context, append(append([]string{p.command}, p.request.GetArgs()...), p.directory)...)
	pack.Dir = p.directory
	pack.Env = p.request.GetEnv()
	if config != nil {
		pack.Env = append(pack.Env, told(config)...)
	}
	pack.Stdout, pack.Stderr = attached, p.stderr
	if err := pack.Start(); err != nil {
		return fmt.Errorf("the policy pack was not started: %w", err)
	}
	return ended(proxy.Attach(p.context, pack))
}

// The names of the secret keys are not included.
func told(config *pulumirpc.AnalyzerStackConfigureRequest) []string {
	return []string{
		"PULUMI_NODEJS_ORGANIZATION=" + config.GetOrganization(),
		"PULUMI_NODEJS_PROJECT=" + config.GetProject(),
		"PULUMI_NODEJS_STACK=" + config.GetStack(),
		fmt.Sprintf("PULUMI_NODEJS_DRY_RUN=%t", config.GetDryRun()),
		configuration(config),
	}
}
