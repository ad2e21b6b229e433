// A test fixture standing in for the Node.js language host, which is not available as a Go module; a difference in
// behaviour is a bug in the fixture. This file reads node_modules and queries npm.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// findAbove returns the nearest such path in the directory or one above it, or "".
func findAbove(directory, path string) string {
	for {
		found := filepath.Join(directory, path)
		if _, err := os.Stat(found); err == nil {
			return found
		}
		parent := filepath.Dir(directory)
		if parent == directory {
			return ""
		}
		directory = parent
	}
}

// findCommand returns the path at which Node finds @pulumi/pulumi/cmd/NAME from a program.
func findCommand(programDirectory, name string) (string, error) {
	path := "@pulumi/pulumi/cmd/" + name
	if found := findAbove(programDirectory, filepath.Join("node_modules", path)); found != "" {
		return found, nil
	}
	return "", fmt.Errorf("%s has no %s in its node_modules, nor has a directory above it: run npm install there",
		programDirectory, path)
}

// Returns the packages of node_modules with {"pulumi": {"resource": true}}: each needs a plugin of the same version.
func (host *languageHost) GetRequiredPackages(
	_ context.Context, request *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	response := &pulumirpc.GetRequiredPackagesResponse{}
	modules := findAbove(request.GetInfo().GetProgramDirectory(), "node_modules")
	if modules == "" {
		return response, nil
	}
	for _, pattern := range []string{"*/package.json", "@*/*/package.json"} {
		manifests, err := fs.Glob(os.DirFS(modules), pattern)
		if err != nil {
			return nil, err
		}
		for _, manifest := range manifests {
			required, err := requiredPackage(filepath.Join(modules, manifest))
			if err != nil {
				return nil, err
			}
			if required != nil {
				response.Packages = append(response.Packages, required)
			}
		}
	}
	return response, nil
}

func requiredPackage(manifest string) (*pulumirpc.PackageDependency, error) {
	var module struct {
		Name, Version string
		Pulumi        struct {
			Resource      bool
			Name, Version string
		}
	}
	text, err := os.ReadFile(manifest)
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(text, &module)
	if _, odd := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !odd { // an unexpected type is the package's own affair
		return nil, fmt.Errorf("%s: %w", manifest, err)
	}
	if !module.Pulumi.Resource {
		return nil, nil
	}
	return &pulumirpc.PackageDependency{
		Name:    cmp.Or(module.Pulumi.Name, strings.TrimPrefix(module.Name, "@pulumi/")),
		Kind:    "resource",
		Version: "v" + strings.TrimPrefix(cmp.Or(module.Pulumi.Version, module.Version), "v"),
	}, nil
}

// A module in the output of npm ls.
type module struct {
	Version      string
	Dependencies map[string]module
}

func (host *languageHost) GetProgramDependencies(
	ctx context.Context, request *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	depth := "0"
	if request.GetTransitiveDependencies() {
		depth = "99"
	}
	npm := exec.CommandContext(ctx, "npm", "ls", "--json", "--depth", depth)
	npm.Dir = request.GetInfo().GetProgramDirectory()
	told, err := npm.Output() // npm ls also fails if a module is missing or extraneous, and still lists the others
	if len(told) == 0 {
		return nil, fmt.Errorf("npm ls in %s: %w", npm.Dir, err)
	}
	var root module
	if err := json.Unmarshal(told, &root); err != nil {
		return nil, fmt.Errorf("npm ls in %s: %w", npm.Dir, err)
	}

	response := &pulumirpc.GetProgramDependenciesResponse{}
	seen := map[string]bool{}
	var walk func(module)
	walk = func(dependent module) {
		for _, name := range slices.Sorted(maps.Keys(dependent.Dependencies)) {
			dependency := dependent.Dependencies[name]
			if key := name + "@" + dependency.Version; dependency.Version != "" && !seen[key] {
				seen[key] = true
				entry := &pulumirpc.DependencyInfo{Name: name, Version: dependency.Version}
				response.Dependencies = append(response.Dependencies, entry)
			}
			walk(dependency)
		}
	}
	walk(root)
	return response, nil
}

func (host *languageHost) InstallDependencies(
	request *pulumirpc.InstallDependenciesRequest, stream pulumirpc.LanguageRuntime_InstallDependenciesServer,
) error {
	streams, stdout, stderr, err := rpcutil.MakeInstallDependenciesStreams(inTurn(stream), false)
	if err != nil {
		return err
	}
	defer streams.Close()
	npm := exec.CommandContext(stream.Context(), "npm", "install")
	npm.Dir = request.GetInfo().GetProgramDirectory()
	npm.Stdout, npm.Stderr = stdout, stderr
	if err := npm.Run(); err != nil {
		return fmt.Errorf("npm install failed: %w", err)
	}
	return nil
}

// A program's stdout and stderr are copied concurrently, but a stream accepts one message at a time.
type streamInTurn[Message any] struct {
	grpc.ServerStreamingServer[Message]
	sending sync.Mutex
}

func inTurn[Message any](stream grpc.ServerStreamingServer[Message]) *streamInTurn[Message] {
	return &streamInTurn[Message]{ServerStreamingServer: stream}
}

func (stream *streamInTurn[Message]) Send(message *Message) error {
	stream.sending.Lock()
	defer stream.sending.Unlock()
	return stream.ServerStreamingServer.Send(message)
}
