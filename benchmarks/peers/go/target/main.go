// A server that is as slow as it is told to be, and keeps a record of when it was asked and when it answered.
//
//	target ADDRESS
//
// POST /plan {"latencies_ms": [...], "stalls": [{"after_s": 3, "length_s": 0.5}]} forgets what was and begins anew:
// answer number i takes latencies_ms[i mod n], and who asks during a stall waits for its end first; stalls are timed
// from the first request. GET /count tells how many came, GET /record which. Every other path is such a request.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"sync"
	"time"
)

const mostRequests = 2_000_000

type stall struct {
	AfterS  float64 `json:"after_s"`
	LengthS float64 `json:"length_s"`
}

type plan struct {
	LatenciesMS []float64 `json:"latencies_ms"`
	Stalls      []stall   `json:"stalls"`
}

// record is in nanoseconds since the epoch; DueNS is when an answer was to be given, DoneNS when it was.
type record struct {
	FirstQuery string  `json:"first_query"`
	CameNS     []int64 `json:"came_ns"`
	DueNS      []int64 `json:"due_ns"`
	DoneNS     []int64 `json:"done_ns"`
}

type target struct {
	mutex sync.Mutex
	plan  plan
	seen  *record
}

func main() {
	here := &target{plan: plan{LatenciesMS: []float64{0}}, seen: &record{}}
	routes := http.NewServeMux()
	routes.HandleFunc("POST /plan", here.begin)
	routes.HandleFunc("GET /count", here.count)
	routes.HandleFunc("GET /record", here.tell)
	routes.HandleFunc("/", here.answer)
	log.Fatal(http.ListenAndServe(os.Args[1], routes))
}

func (here *target) begin(writer http.ResponseWriter, request *http.Request) {
	var wanted plan
	if err := json.NewDecoder(request.Body).Decode(&wanted); err != nil || len(wanted.LatenciesMS) == 0 {
		http.Error(writer, fmt.Sprintf("not a plan with latencies: %v", err), http.StatusBadRequest)
		return
	}
	here.mutex.Lock()
	defer here.mutex.Unlock()
	here.plan, here.seen = wanted, &record{}
}

func (here *target) count(writer http.ResponseWriter, _ *http.Request) {
	here.mutex.Lock()
	defer here.mutex.Unlock()
	fmt.Fprint(writer, len(here.seen.CameNS))
}

func (here *target) tell(writer http.ResponseWriter, _ *http.Request) {
	here.mutex.Lock()
	defer here.mutex.Unlock()
	if err := json.NewEncoder(writer).Encode(here.seen); err != nil {
		log.Print(err)
	}
}

func (here *target) answer(writer http.ResponseWriter, request *http.Request) {
	seen, number, due := here.came(time.Now(), request)
	if number == mostRequests {
		http.Error(writer, "more requests than are recorded", http.StatusInsufficientStorage)
		return
	}
	time.Sleep(time.Until(due))
	now := time.Now().UnixNano()
	here.mutex.Lock()
	seen.DoneNS[number] = now
	here.mutex.Unlock()
	fmt.Fprint(writer, "ok")
}

func (here *target) came(now time.Time, request *http.Request) (*record, int, time.Time) {
	here.mutex.Lock()
	defer here.mutex.Unlock()
	seen := here.seen
	number := len(seen.CameNS)
	if number == mostRequests {
		return seen, number, now
	}
	if number == 0 {
		seen.FirstQuery = request.URL.RawQuery
	}
	seen.CameNS = append(seen.CameNS, now.UnixNano())
	due := now
	since := float64(now.UnixNano()-seen.CameNS[0]) / 1e9
	for _, each := range here.plan.Stalls {
		if each.AfterS <= since && since < each.AfterS+each.LengthS {
			due = now.Add(time.Duration((each.AfterS + each.LengthS - since) * 1e9))
		}
	}
	due = due.Add(time.Duration(here.plan.LatenciesMS[number%len(here.plan.LatenciesMS)] * 1e6))
	seen.DueNS = append(seen.DueNS, due.UnixNano())
	seen.DoneNS = append(seen.DoneNS, 0)
	return seen, number, due
}
