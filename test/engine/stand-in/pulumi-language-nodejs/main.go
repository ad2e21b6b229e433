// A test fixture standing in for the Node.js language host, which is not available as a Go module; a difference in
// behaviour is a bug in the fixture. It runs programs of the SDK in their node_modules; it creates no projects, plugins
// or SDKs.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/version"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// The exit status of a program after the SDK has reported the error.
const toldTheUser = 32

type languageHost struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	node, engine, tracing string
	cancelled             context.Context
	cancel                context.CancelFunc
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-language-nodejs:", err)
		os.Exit(1)
	}
}

// serve prints the port that it listens on, as the engine expects of a plugin.
func serve() error {
	tracing := flag.String("tracing", "", "where to send traces to")
	flag.String("root", "", "sent by older engines; not used")
	flag.Parse()
	engine := flag.Arg(0)
	node, err := exec.LookPath("node")
	if err != nil {
		return fmt.Errorf("no Node to run programs with: %w", err)
	}

	// The engine ends a plugin with SIGINT, which a plugin of a background job ignores unless it handles the signal.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if engine != "" {
		// A killed engine closes no connections. The interval is that of the real language host.
		if err := rpcutil.Healthcheck(ctx, engine, 5*time.Minute, cancel); err != nil {
			return fmt.Errorf("the engine's address %s: %w", engine, err)
		}
	}
	gone := make(chan bool)
	context.AfterFunc(ctx, func() { close(gone) })
	server, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: gone,
		Init: func(server *grpc.Server) error {
			host := &languageHost{node: node, engine: engine, tracing: *tracing}
			host.cancelled, host.cancel = context.WithCancel(ctx)
			pulumirpc.RegisterLanguageRuntimeServer(server, host)
			return nil
		},
	})
	if err != nil {
		return err
	}
	fmt.Println(server.Port)
	return <-server.Done
}

// An engine that finds the host running, as under a debugger, sends its address only here.
func (host *languageHost) Handshake(
	_ context.Context, request *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	host.engine = request.GetEngineAddress()
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (host *languageHost) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: strings.TrimPrefix(version.Version, "v")}, nil
}

func (host *languageHost) About(ctx context.Context, _ *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	told, err := exec.CommandContext(ctx, host.node, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w", host.node, err)
	}
	return &pulumirpc.AboutResponse{Executable: host.node, Version: strings.TrimSpace(string(told))}, nil
}

func (host *languageHost) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	run, err := findCommand(request.GetInfo().GetProgramDirectory(), "run")
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	defer context.AfterFunc(host.cancelled, end)()
	options := request.GetInfo().GetOptions().GetFields()
	args := append(strings.Fields(options["nodeargs"].GetStringValue()), run)
	program := host.command(ctx, append(args, host.arguments(request)...)...)
	program.Stdout, program.Stderr = os.Stdout, os.Stderr

	keys, _ := json.Marshal(append([]string{}, request.GetConfigSecretKeys()...))
	program.Env = append(os.Environ(), configuration(request), "PULUMI_CONFIG_SECRET_KEYS="+string(keys))
	if typescript, set := options["typescript"]; !set || typescript.GetBoolValue() {
		program.Env = append(program.Env, "PULUMI_NODEJS_TYPESCRIPT=true")
	}
	if tsconfig := options["tsconfig"].GetStringValue(); tsconfig != "" {
		program.Env = append(program.Env, "PULUMI_NODEJS_TSCONFIG_PATH="+tsconfig)
	}

	if err := program.Start(); err != nil {
		return nil, fmt.Errorf("the program was not started: %w", err)
	}
	_ = program.Wait() // the exit status contains the result
	switch code := program.ProcessState.ExitCode(); code {
	case 0:
		return &pulumirpc.RunResponse{}, nil
	case toldTheUser:
		return &pulumirpc.RunResponse{Bail: true}, nil
	default:
		return &pulumirpc.RunResponse{Error: exited(code)}, nil
	}
}

// The arguments of cmd/run in the SDK, with the program's own arguments last.
func (host *languageHost) arguments(request *pulumirpc.RunRequest) []string {
	info := request.GetInfo()
	var args []string
	for _, option := range [][2]string{
		{"--monitor", request.GetMonitorAddress()},
		{"--engine", host.engine},
		{"--organization", request.GetOrganization()},
		{"--project", request.GetProject()},
		{"--root-directory", info.GetRootDirectory()},
		{"--stack", request.GetStack()},
		{"--pwd", info.GetProgramDirectory()},
		{"--parallel", fmt.Sprint(request.GetParallel())},
		{"--tracing", host.tracing},
	} {
		if option[1] != "" {
			args = append(args, option[:]...)
		}
	}
	if request.GetDryRun() {
		args = append(args, "--dry-run")
	}
	return append(append(args, info.GetEntryPoint()), request.GetArgs()...)
}

// command returns Node with these arguments. It ends with its call, also if the engine is gone.
func (host *languageHost) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, host.node, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Cancel may arrive just before the start of the program that it is meant for, which is then not started.
func (host *languageHost) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	host.cancel()
	return &emptypb.Empty{}, nil
}

// configuration returns an environment variable. An empty map arrives as nil, which would be encoded as null.
func configuration(request interface{ GetConfig() map[string]string }) string {
	text, _ := json.Marshal(maps.Collect(maps.All(request.GetConfig())))
	return "PULUMI_CONFIG=" + string(text)
}

func exited(code int) string {
	return fmt.Sprintf("Program exited with non-zero exit code: %d", code)
}
