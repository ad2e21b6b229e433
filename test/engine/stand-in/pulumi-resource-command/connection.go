// A test fixture; see main.go.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/retry"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"lab.invalid/engine/cli/stand-in/provider"
)

type connection struct {
	Host               string
	Port               *int
	User               *string
	Password           *string
	PrivateKey         string
	PrivateKeyPassword string
	AgentSocketPath    *string
	HostKey            string
	DialErrorLimit     *int
	PerDialTimeout     *int // seconds
	Proxy              *connection
}

func orElse[T any](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}
	return *given
}

func (c connection) address() string {
	return net.JoinHostPort(c.Host, strconv.Itoa(orElse(c.Port, 22)))
}

// dial opens the connection and returns a function that closes it. Every failure is retried, except for unreadable
// keys.
func (c connection) dial(call provider.Call) (client *ssh.Client, end func(), err error) {
	mine, err := c.config()
	if err != nil {
		return nil, nil, err
	}
	if c.Proxy == nil {
		client, err := tried(call, "Dial", c, func() (*ssh.Client, error) { return ssh.Dial("tcp", c.address(), mine) })
		if err != nil {
			return nil, nil, err
		}
		return client, func() { client.Close() }, nil
	}
	its, err := c.Proxy.config()
	if err != nil {
		return nil, nil, fmt.Errorf("proxy: %w", err)
	}
	hop, err := tried(call, "Dial proxy", *c.Proxy, func() (*ssh.Client, error) {
		return ssh.Dial("tcp", c.Proxy.address(), its)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("proxy: %w", err)
	}
	channel, err := tried(call, "Dial from proxy", c, func() (net.Conn, error) { return hop.Dial("tcp", c.address()) })
	if err != nil {
		hop.Close()
		return nil, nil, fmt.Errorf("proxy: %w", err)
	}
	// Like the real provider: every attempt uses the same channel, which the first failure has closed.
	client, err = tried(call, "Dial", c, func() (*ssh.Client, error) {
		conn, channels, requests, err := ssh.NewClientConn(channel, c.address(), mine)
		if err != nil {
			return nil, err
		}
		return ssh.NewClient(conn, channels, requests), nil
	})
	if err != nil {
		hop.Close()
		return nil, nil, fmt.Errorf("proxy: %w", err)
	}
	return client, func() {
		client.Close()
		hop.Close()
	}, nil
}

// config returns the login credentials and the expected host key.
func (c connection) config() (*ssh.ClientConfig, error) {
	config := &ssh.ClientConfig{
		User:            orElse(c.User, "root"),
		Timeout:         time.Duration(orElse(c.PerDialTimeout, 15)) * time.Second,
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	}
	if c.HostKey != "" {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(c.HostKey))
		if err != nil {
			return nil, fmt.Errorf("failed to parse host key: %w", err)
		}
		config.HostKeyCallback = ssh.FixedHostKey(key)
		// The exact type of the key. For an RSA key this requests SHA-1 signatures, which current servers refuse.
		config.HostKeyAlgorithms = []string{key.Type()}
	}
	if c.PrivateKey != "" {
		signer, err := c.signer()
		if err != nil {
			return nil, err
		}
		config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	}
	if c.Password != nil {
		answer := func(_, _ string, questions []string, _ []bool) ([]string, error) {
			answers := make([]string, len(questions))
			for i := range answers {
				answers[i] = *c.Password
			}
			return answers, nil
		}
		config.Auth = append(config.Auth, ssh.Password(*c.Password), ssh.KeyboardInteractive(answer))
	}
	if socket := orElse(c.AgentSocketPath, os.Getenv("SSH_AUTH_SOCK")); socket != "" {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return nil, err
		}
		config.Auth = append(config.Auth, ssh.PublicKeysCallback(agent.NewClient(conn).Signers))
	}
	return config, nil
}

func (c connection) signer() (ssh.Signer, error) {
	if c.PrivateKeyPassword != "" {
		return ssh.ParsePrivateKeyWithPassphrase([]byte(c.PrivateKey), []byte(c.PrivateKeyPassword))
	}
	return ssh.ParsePrivateKey([]byte(c.PrivateKey))
}

func tried[T any](call provider.Call, what string, c connection, attempt func() (T, error)) (result T, err error) {
	limit := orElse(c.DialErrorLimit, 10)
	shown := strconv.Itoa(limit)
	if limit == -1 {
		shown = "inf"
	}
	done, _, err := retry.Until(call, retry.Acceptor{
		Accept: func(before int, _ time.Duration) (bool, any, error) {
			var failure error
			if result, failure = attempt(); failure == nil {
				return true, nil, nil
			}
			if limit > -1 && before >= limit {
				return false, nil, fmt.Errorf("after %d failed attempts: %w", before, failure)
			}
			call.Status(fmt.Sprintf("%s %d/%s failed: retrying", what, before+1, shown))
			return false, nil, nil
		},
	})
	if err == nil && !done {
		err = context.Cause(call)
	}
	return result, err
}
