// The API through Go's own HTTP/2 client: go run client.go PORT
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"
)

var base = "http://127.0.0.1:" + os.Args[1]
var client *http.Client

func must(good bool, what ...any) {
	if !good {
		fmt.Println(what...)
		os.Exit(1)
	}
}

func post(ctx context.Context, path string, body any) *http.Response {
	text, _ := json.Marshal(body)
	request, _ := http.NewRequestWithContext(ctx, "POST", base+path, bytes.NewReader(text))
	response, err := client.Do(request)
	must(err == nil, err)
	return response
}

func whole(response *http.Response) string {
	text, err := io.ReadAll(response.Body)
	must(err == nil, err)
	response.Body.Close()
	return string(text)
}

func main() {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client = &http.Client{Transport: &http.Transport{Protocols: &protocols}}
	all := context.Background()

	created := post(all, "/ksql", map[string]any{"ksql": "CREATE STREAM go_s (k STRING KEY, v INT) WITH (kafka_topic='go_s', " +
		"value_format='JSON', partitions=1); CREATE TABLE go_t AS SELECT k, COUNT(*) AS n FROM go_s GROUP BY k;"})
	must(created.StatusCode == 200 && created.ProtoMajor == 2, created.Status, created.Proto)
	must(strings.Contains(whole(created), "SUCCESS"))

	ctx, cancel := context.WithCancel(all)
	push := post(ctx, "/query-stream", map[string]any{"sql": "SELECT k, v FROM go_s EMIT CHANGES;",
		"properties": map[string]string{"auto.offset.reset": "earliest"}})
	rows := bufio.NewScanner(push.Body)
	must(rows.Scan(), rows.Err())
	var header struct{ QueryId string }
	must(json.Unmarshal(rows.Bytes(), &header) == nil && header.QueryId != "", rows.Text())

	reader, writer := io.Pipe()
	request, _ := http.NewRequest("POST", base+"/inserts-stream", reader)
	go func() { fmt.Fprintln(writer, `{"target":"go_s"}`) }()
	inserts, err := client.Do(request)
	must(err == nil && inserts.StatusCode == 200, err)
	acks := bufio.NewScanner(inserts.Body)
	for i := 0; i < 3; i++ {
		fmt.Fprintf(writer, "{\"k\":\"a\",\"v\":%d}\n", i)
		must(acks.Scan() && acks.Text() == fmt.Sprintf(`{"status":"ok","seq":%d}`, i), acks.Text())
		must(rows.Scan() && rows.Text() == fmt.Sprintf(`["a",%d]`, i), rows.Text())
	}
	writer.Close()
	cancel()

	for tries := 0; ; tries++ {
		var pulled []any
		text := whole(post(all, "/query-stream", map[string]any{"sql": "SELECT n FROM go_t WHERE k = 'a';"}))
		lines := strings.Split(strings.TrimSpace(text), "\n")
		must(json.Unmarshal([]byte(lines[len(lines)-1]), &pulled) == nil || tries < 200, text)
		if reflect.DeepEqual(pulled, []any{3.0}) {
			break
		}
		must(tries < 200, text)
		time.Sleep(50 * time.Millisecond)
	}
	for tries := 0; post(all, "/close-query", map[string]any{"queryId": header.QueryId}).StatusCode != 400; tries++ {
		must(tries < 100, "the query outlives its client")
		time.Sleep(50 * time.Millisecond)
	}
	wrong := post(all, "/ksql", map[string]any{"ksql": "DROP STREAM nope;"})
	must(wrong.StatusCode == 400 && strings.Contains(whole(wrong), `"error_code":40001`), wrong.Status)
	fmt.Println("ok")
}
