// The same call in Go, with its standard library alone: a goroutine a call, net/http for the look-up.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

type answer struct {
	Queue    string
	Priority int
	Customer struct{ Name string }
}

func carry(conn net.Conn, client *http.Client, upstream string) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		if line == "\n" {
			break
		}
	}
	ask := func(command string) string {
		if _, err := conn.Write([]byte(command + "\n")); err != nil {
			return ""
		}
		line, _ := reader.ReadString('\n')
		_, result, _ := strings.Cut(strings.TrimSpace(line), "result=")
		return result
	}
	ask("ANSWER")
	ask("STREAM FILE welcome \"\"")
	typed := ask("GET DATA number 5000 4")
	response, err := client.Get(upstream + "?number=" + url.QueryEscape(typed))
	if err != nil {
		return
	}
	var found answer
	err = json.NewDecoder(response.Body).Decode(&found)
	response.Body.Close()
	if err != nil {
		return
	}
	ask(fmt.Sprintf("SET VARIABLE QUEUE %q", found.Queue))
	ask(fmt.Sprintf("SET VARIABLE PRIORITY \"%d\"", found.Priority))
	ask(fmt.Sprintf("SET VARIABLE NAME %q", found.Customer.Name))
	ask("EXEC NoOp done")
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4096}}
	for {
		conn, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go carry(conn, client, os.Args[2])
	}
}
