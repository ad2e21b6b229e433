// A test fixture; see main.go.
package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"lab.invalid/engine/cli/stand-in/provider"
)

const longestLine = 64 * 1024

// The output of a command: stored, and shown line by line as it arrives.
type output struct {
	call           provider.Call
	mutex          sync.Mutex
	stdout, stderr stream
	both           bytes.Buffer
	tooLong        bool
}

type stream struct {
	of     *output
	shown  bool
	kept   bytes.Buffer
	unread []byte // the line that is still incomplete
}

func newOutput(call provider.Call, logging *string) *output {
	o := &output{call: call}
	shown := func(name string) bool { return logging == nil || *logging == name || *logging == "stdoutAndStderr" }
	o.stdout = stream{of: o, shown: shown("stdout")}
	o.stderr = stream{of: o, shown: shown("stderr")}
	return o
}

func (s *stream) Write(chunk []byte) (int, error) {
	s.of.mutex.Lock()
	defer s.of.mutex.Unlock()
	s.kept.Write(chunk)
	s.of.both.Write(chunk)
	if !s.shown {
		return len(chunk), nil
	}
	lines := bytes.Split(append(s.unread, chunk...), []byte("\n"))
	for i, line := range lines {
		s.of.tooLong = s.of.tooLong || len(line) >= longestLine
		if i < len(lines)-1 {
			s.of.call.Status(string(line))
		}
	}
	s.unread = bytes.Clone(lines[len(lines)-1])
	return len(chunk), nil
}

// The output, or the reason why the command failed, with its complete output.
func (o *output) finish(command string, failure error) (stdout, stderr string, err error) {
	for _, s := range []*stream{&o.stdout, &o.stderr} {
		if len(s.unread) > 0 {
			o.call.Status(string(s.unread))
		}
	}
	// The real provider stops reading at such a line and waits forever; return an error instead.
	if o.tooLong {
		return "", "", fmt.Errorf("a logged line of 64 KiB or more hangs the real provider: running %q", command)
	}
	if failure != nil {
		return "", "", fmt.Errorf("%w: running %q:\n%s", failure, command, o.both.String())
	}
	return strings.TrimSuffix(o.stdout.kept.String(), "\n"), strings.TrimSuffix(o.stderr.kept.String(), "\n"), nil
}
