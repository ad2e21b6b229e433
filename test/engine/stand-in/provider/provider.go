// Package provider is a test fixture standing in for the internals of a real Pulumi provider: resources that are
// created, compared and deleted, behind the SDK's own server. A difference in behaviour is a bug in the fixture.
package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/cmdutil"
	host "github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Props are a resource's inputs or outputs.
type Props = resource.PropertyMap

// Call is the call that a resource answers. It ends at its time limit or when the engine cancels it.
type Call struct {
	context.Context
	Name    string
	Preview bool
	urn     resource.URN
	engine  *host.HostClient
}

// Status shows a line beside the resource during the operation. As in the real providers, nothing is sent after a
// cancel.
func (c Call) Status(line string) { _ = c.engine.LogStatus(c, diag.Info, c.urn, line) }

// Log reports a message that stays on the screen.
func (c Call) Log(severity diag.Severity, line string) { _ = c.engine.Log(c, severity, c.urn, line) }

// Resource is one type of a provider. Check and Delete are optional; Update is too if every change replaces the
// resource.
type Resource struct {
	Check func(inputs Props) (Props, []plugin.CheckFailure)
	// For a bridged provider: the inputs, completed with values from the state.
	Complete func(inputs Props) Props
	// Whether a change at a path such as triggers[0] replaces the resource; for a bridged provider, the path is a
	// property.
	ReplaceOn func(path string) bool
	Create    func(call Call, inputs Props) (id string, outputs Props, err error)
	Update    func(call Call, state, inputs Props) (outputs Props, err error)
	Delete    func(call Call, state Props) error
}

// Provider serves its resources and functions to the engine.
type Provider struct {
	plugin.UnimplementedProvider
	Name      string
	Version   string
	Framework Props // values that its framework adds to the provider's own configuration in the state
	// Whether it is a bridge to a Terraform provider. It then compares plain and complete values, so a value that
	// becomes secret, or an explicit default, is no change; and it names the properties that differ, without a detailed
	// diff.
	Bridged   bool
	Resources map[tokens.Type]Resource
	Functions map[tokens.ModuleMember]func(call Call, args Props) (Props, error)

	engine *host.HostClient
	ctx    context.Context
	cancel context.CancelFunc
}

// Serve answers the engine until it no longer needs the provider.
func (p *Provider) Serve() {
	p.ctx, p.cancel = context.WithCancel(context.Background())
	err := host.Main(p.Name, func(engine *host.HostClient) (pulumirpc.ResourceProviderServer, error) {
		p.engine = engine
		return server{plugin.NewProviderServer(p)}, nil
	})
	if err != nil {
		cmdutil.ExitError(err.Error())
	}
}

// The SDK's server does not mark a diff as detailed, so the engine would drop the details. Like the framework of the
// real providers, this server names properties beside the details, which name paths.
type server struct {
	pulumirpc.ResourceProviderServer
}

func (s server) Diff(ctx context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	response, err := s.ResourceProviderServer.Diff(ctx, req)
	if err != nil || len(response.DetailedDiff) == 0 {
		return response, err
	}
	response.HasDetailedDiff = true
	for _, path := range response.Replaces {
		if detail := response.DetailedDiff[path]; detail.GetKind() == pulumirpc.PropertyDiff_DELETE {
			detail.Kind = pulumirpc.PropertyDiff_DELETE_REPLACE
		}
	}
	response.Diffs, response.Replaces = properties(response.Diffs), properties(response.Replaces)
	return response, nil
}

// properties returns the properties that paths such as environment.PASSWORD begin with.
func properties(paths []string) []string {
	found := map[string]bool{}
	for _, path := range paths {
		found[path[:strings.IndexAny(path+".", ".[")]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

func (p *Provider) Handshake(
	context.Context, plugin.ProviderHandshakeRequest,
) (*plugin.ProviderHandshakeResponse, error) {
	return &plugin.ProviderHandshakeResponse{AcceptSecrets: true}, nil
}

func (p *Provider) Attach(address string) (err error) {
	p.engine, err = host.NewHostClient(address)
	return err
}

func (p *Provider) SignalCancellation(context.Context) error {
	p.cancel()
	return nil
}

func (p *Provider) GetPluginInfo(context.Context) (plugin.PluginInfo, error) {
	version := semver.MustParse(p.Version)
	return plugin.PluginInfo{Version: &version}, nil
}

func (p *Provider) GetSchema(context.Context, plugin.GetSchemaRequest) (plugin.GetSchemaResponse, error) {
	schema, err := json.Marshal(map[string]string{"name": p.Name, "version": p.Version})
	return plugin.GetSchemaResponse{Schema: schema}, err
}

func (p *Provider) CheckConfig(_ context.Context, req plugin.CheckConfigRequest) (plugin.CheckConfigResponse, error) {
	checked := maps.Clone(req.News)
	maps.Copy(checked, p.Framework)
	return plugin.CheckConfigResponse{Properties: checked}, nil
}

func (p *Provider) DiffConfig(context.Context, plugin.DiffConfigRequest) (plugin.DiffConfigResponse, error) {
	return plugin.DiffConfigResponse{Changes: plugin.DiffNone}, nil
}

func (p *Provider) Configure(context.Context, plugin.ConfigureRequest) (plugin.ConfigureResponse, error) {
	return plugin.ConfigureResponse{}, nil
}

func (p *Provider) Check(_ context.Context, req plugin.CheckRequest) (plugin.CheckResponse, error) {
	found, err := p.resource(req.Type)
	if err != nil || found.Check == nil {
		return plugin.CheckResponse{Properties: req.News}, err
	}
	inputs, failures := found.Check(req.News)
	return plugin.CheckResponse{Properties: inputs, Failures: failures}, nil
}

func (p *Provider) Diff(_ context.Context, req plugin.DiffRequest) (plugin.DiffResponse, error) {
	found, err := p.resource(req.Type)
	if err != nil {
		return plugin.DiffResponse{}, err
	}
	if p.Bridged {
		olds, news := Plain(req.OldInputs), Plain(req.NewInputs)
		if found.Complete != nil {
			olds, news = found.Complete(olds), found.Complete(news)
		}
		return bridgedDiff(olds.Diff(news), found.ReplaceOn), nil
	}
	detailed := plugin.NewDetailedDiffFromObjectDiff(req.OldInputs.Diff(req.NewInputs), false)
	for path, difference := range detailed {
		if found.ReplaceOn(path) {
			detailed[path] = difference.ToReplace()
		}
	}
	if len(detailed) == 0 {
		return plugin.DiffResponse{Changes: plugin.DiffNone}, nil
	}
	return plugin.DiffResponse{Changes: plugin.DiffSome, DetailedDiff: detailed}, nil
}

func bridgedDiff(difference *resource.ObjectDiff, replaceOn func(property string) bool) plugin.DiffResponse {
	if difference == nil {
		return plugin.DiffResponse{Changes: plugin.DiffNone}
	}
	answer := plugin.DiffResponse{Changes: plugin.DiffSome, ChangedKeys: difference.ChangedKeys()}
	for _, key := range answer.ChangedKeys {
		if replaceOn(string(key)) {
			answer.ReplaceKeys = append(answer.ReplaceKeys, key)
		}
	}
	return answer
}

func (p *Provider) Create(_ context.Context, req plugin.CreateRequest) (plugin.CreateResponse, error) {
	found, err := p.resource(req.Type)
	if err != nil {
		return plugin.CreateResponse{}, err
	}
	call, end := p.call(req.URN, req.Timeout, req.Preview)
	defer end()
	id, outputs, err := found.Create(call, req.Properties)
	return plugin.CreateResponse{ID: resource.ID(id), Properties: outputs}, err
}

func (p *Provider) Update(_ context.Context, req plugin.UpdateRequest) (plugin.UpdateResponse, error) {
	found, err := p.resource(req.Type)
	if err != nil {
		return plugin.UpdateResponse{}, err
	}
	call, end := p.call(req.URN, req.Timeout, req.Preview)
	defer end()
	outputs, err := found.Update(call, req.OldOutputs, req.NewInputs)
	return plugin.UpdateResponse{Properties: outputs}, err
}

func (p *Provider) Delete(_ context.Context, req plugin.DeleteRequest) (plugin.DeleteResponse, error) {
	found, err := p.resource(req.Type)
	if err != nil || found.Delete == nil {
		return plugin.DeleteResponse{}, err
	}
	call, end := p.call(req.URN, req.Timeout, false)
	defer end()
	return plugin.DeleteResponse{}, found.Delete(call, req.Outputs)
}

// Read returns the state unchanged, as the real providers do.
func (p *Provider) Read(_ context.Context, req plugin.ReadRequest) (plugin.ReadResponse, error) {
	return plugin.ReadResponse{
		ReadResult: plugin.ReadResult{ID: req.ID, Inputs: req.Inputs, Outputs: req.State},
	}, nil
}

func (p *Provider) Invoke(_ context.Context, req plugin.InvokeRequest) (plugin.InvokeResponse, error) {
	function, ok := p.Functions[req.Tok]
	if !ok {
		return plugin.InvokeResponse{}, p.absent("function", string(req.Tok))
	}
	call, end := p.call("", 0, req.Preview)
	defer end()
	result, err := function(call, req.Args)
	return plugin.InvokeResponse{Properties: result}, err
}

func (p *Provider) resource(token tokens.Type) (Resource, error) {
	found, ok := p.Resources[token]
	if !ok {
		return found, p.absent("resource", string(token))
	}
	return found, nil
}

func (p *Provider) absent(kind, token string) error {
	return status.Error(codes.Unimplemented,
		fmt.Sprintf("the stand-in for the %s provider has no %s %s", p.Name, kind, token))
}

// A time limit of 0 seconds means none.
func (p *Provider) call(urn resource.URN, seconds float64, preview bool) (Call, context.CancelFunc) {
	call := Call{Preview: preview, urn: urn, engine: p.engine}
	if urn != "" {
		call.Name = urn.Name()
	}
	var end context.CancelFunc
	if seconds > 0 {
		call.Context, end = context.WithTimeout(p.ctx, time.Duration(seconds*float64(time.Second)))
	} else {
		call.Context, end = context.WithCancel(p.ctx)
	}
	return call, end
}

// Plain returns the values with secrets unwrapped at every depth.
func Plain(props Props) Props {
	opened := Props{}
	for key, value := range props {
		opened[key] = plain(value)
	}
	return opened
}

func plain(value resource.PropertyValue) resource.PropertyValue {
	switch {
	case value.IsSecret():
		return plain(value.SecretValue().Element)
	case value.IsObject():
		return resource.NewProperty(Plain(value.ObjectValue()))
	case value.IsArray():
		elements := make([]resource.PropertyValue, len(value.ArrayValue()))
		for i, element := range value.ArrayValue() {
			elements[i] = plain(element)
		}
		return resource.NewProperty(elements)
	}
	return value
}

// Decode fills a struct with the known values, with secrets unwrapped.
func Decode(props Props, into any) error {
	text, err := json.Marshal(Plain(props).Mappable())
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// Unknown is a value that a preview does not know.
func Unknown() resource.PropertyValue { return resource.MakeComputed(resource.NewProperty("")) }
