// A test fixture standing in for the random provider 4.21.2, which is not available as a Go module; a difference in
// behaviour is a bug in the fixture. It generates passwords and bytes, without the real provider's record of the
// Terraform state (__pulumi_raw_state_delta), which only that provider reads.
package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"maps"
	"math/big"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"golang.org/x/crypto/bcrypt"

	"lab.invalid/engine/cli/stand-in/provider"
)

// The composition of a password: the minimum number of each class, and the classes that may fill the rest.
type passwordArgs struct {
	Length                                     int
	OverrideSpecial                            string
	Lower, Upper, Numeric, Special             bool
	MinLower, MinUpper, MinNumeric, MinSpecial int
}

func below(n int) int {
	number, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic(err) // the system's source of randomness does not fail
	}
	return int(number.Int64())
}

func (args passwordArgs) generate() (string, error) {
	special := "!@#$%&*()-_=+[]{}<>:?"
	if args.OverrideSpecial != "" {
		special = args.OverrideSpecial
	}
	classes := []struct {
		characters string
		wanted     bool
		minimum    int
	}{
		{"abcdefghijklmnopqrstuvwxyz", args.Lower, args.MinLower},
		{"ABCDEFGHIJKLMNOPQRSTUVWXYZ", args.Upper, args.MinUpper},
		{"0123456789", args.Numeric, args.MinNumeric},
		{special, args.Special, args.MinSpecial},
	}
	var text, all []rune
	for _, class := range classes {
		characters := []rune(class.characters)
		for range class.minimum {
			text = append(text, characters[below(len(characters))])
		}
		if class.wanted {
			all = append(all, characters...)
		}
	}
	if len(all) == 0 && len(text) < args.Length {
		return "", errors.New("of lower, upper, numeric and special one must be true")
	}
	for len(text) < args.Length {
		text = append(text, all[below(len(all))])
	}
	for i := len(text) - 1; i > 0; i-- {
		j := below(i + 1)
		text[i], text[j] = text[j], text[i]
	}
	return string(text), nil
}

// Every argument except length and overrideSpecial has a default, which appears in the state.
func withDefaults(inputs provider.Props) provider.Props {
	outputs := provider.Props{}
	for _, on := range []resource.PropertyKey{"lower", "upper", "special"} {
		outputs[on] = resource.NewProperty(true)
	}
	for _, minimum := range []resource.PropertyKey{"minLower", "minUpper", "minNumeric", "minSpecial"} {
		outputs[minimum] = resource.NewProperty(0.0)
	}
	numeric := resource.NewProperty(true)
	for _, name := range []resource.PropertyKey{"number", "numeric"} { // the older name, and the one that takes precedence
		if given, ok := inputs[name]; ok && given.HasValue() {
			numeric = given
		}
	}
	maps.Copy(outputs, inputs)
	outputs["numeric"], outputs["number"] = numeric, numeric
	return outputs
}

// The longest password that bcrypt accepts, in bytes.
const bcryptLongest = 72

func createPassword(call provider.Call, inputs provider.Props) (string, provider.Props, error) {
	outputs := withDefaults(inputs)
	if call.Preview {
		outputs["id"] = provider.Unknown()
		outputs["result"], outputs["bcryptHash"] = secret(provider.Unknown()), secret(provider.Unknown())
		return "", outputs, nil
	}
	var args passwordArgs
	if err := provider.Decode(outputs, &args); err != nil {
		return "", nil, err
	}
	password, err := args.generate()
	if err != nil {
		return "", nil, err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password)[:min(len(password), bcryptLongest)], bcrypt.DefaultCost)
	if err != nil {
		return "", nil, err
	}
	id := "none" // the ID of every password
	outputs["id"], outputs["__meta"] = resource.NewProperty(id), resource.NewProperty(`{"schema_version":"3"}`)
	outputs["result"] = secret(resource.NewProperty(password))
	outputs["bcryptHash"] = secret(resource.NewProperty(string(hash)))
	return id, outputs, nil
}

func createBytes(call provider.Call, inputs provider.Props) (string, provider.Props, error) {
	made := map[resource.PropertyKey]resource.PropertyValue{"base64": provider.Unknown(), "hex": provider.Unknown()}
	id := ""
	if !call.Preview {
		var args struct{ Length int }
		if err := provider.Decode(inputs, &args); err != nil {
			return "", nil, err
		}
		random := make([]byte, args.Length)
		rand.Read(random) // never returns an error
		id = base64.StdEncoding.EncodeToString(random)
		made["base64"], made["hex"] = resource.NewProperty(id), resource.NewProperty(hex.EncodeToString(random))
	}
	outputs := maps.Clone(inputs)
	for key, value := range made {
		outputs[key] = secret(value)
	}
	return id, outputs, nil
}

func secret(value resource.PropertyValue) resource.PropertyValue { return resource.MakeSecret(value) }

func always(string) bool { return true }

func main() {
	(&provider.Provider{
		Name:    "random",
		Version: "4.21.2",
		Bridged: true,
		Resources: map[tokens.Type]provider.Resource{
			"random:index/randomPassword:RandomPassword": {Complete: withDefaults, ReplaceOn: always, Create: createPassword},
			"random:index/randomBytes:RandomBytes":       {ReplaceOn: always, Create: createBytes},
		},
	}).Serve()
}
