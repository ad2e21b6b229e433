// A test fixture; see main.go.
package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"

	"lab.invalid/engine/cli/stand-in/provider"
)

func runLocal(
	call provider.Call, command string, args arguments, previous map[string]string,
) (stdout, stderr string, err error) {
	if args.AssetPaths != nil || args.ArchivePaths != nil {
		return "", "", errors.New("the stand-in of the command provider makes no assets")
	}
	words := append(args.Interpreter, command)
	if len(args.Interpreter) == 0 {
		words = []string{"/bin/sh", "-c", command}
	}
	out := newOutput(call, args.Logging)
	process := exec.CommandContext(call, words[0], words[1:]...)
	process.Dir = args.Dir
	process.Env = os.Environ()
	for _, variables := range []map[string]string{args.Environment, previous} {
		for name, value := range variables {
			process.Env = append(process.Env, name+"="+value)
		}
	}
	process.Stdin = strings.NewReader(args.Stdin)
	process.Stdout, process.Stderr = &out.stdout, &out.stderr
	return out.finish(command, process.Run())
}
