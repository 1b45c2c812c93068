// The workloads of the benchmark written by hand on librdkafka and simdjson, with no engine around them: what an engine
// on the same libraries cannot beat and should come close to. At least once, without changelogs.
//
//   bound w1|w2|w3|w5|read BROKER IN OUT EVENTS [AUCTIONS ROWS]
//   bound floor w1|w2|w3|w4|w5 VALUES [AUCTIONS]
//
// Prints one line of JSON. OUT is created and, in the end, deleted. Time and processor count from the first record. The
// floor reads files with a value in each line, before it begins, and has no log either.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/bound/floor.h"
#include "bench/bound/usage.h"
#include "bench/bound/workloads.h"

int main(int argc, char** argv) {
  if ((argc == 4 || argc == 5) && std::string(argv[1]) == "floor") {
    if (!bound::run_floor(argv[2], argv[3], argc == 5 ? argv[4] : "")) bound::die("unknown workload");
    return 0;
  }
  if (argc != 6 && argc != 8)
    bound::die("usage: bound w1|w2|w3|w5|read BROKER IN OUT EVENTS [AUCTIONS ROWS], or floor w1-w5 VALUES [AUCTIONS]");
  const std::string name = argv[1], broker = argv[2], in = argv[3], out = argv[4];
  const std::int64_t events = std::atoll(argv[5]);
  bound::Table table;
  if (argc == 8) table = {argv[6], std::atoll(argv[7])};
  bound::create_topic(broker, out);
  {
    bound::Output output(broker, out);
    const auto loop = bound::make_loop(name, broker, table);
    if (!loop) bound::die("unknown workload " + name);
    bound::Input input(broker, in);
    auto began = std::chrono::steady_clock::now();
    double before = 0;
    const auto first = [&] {
      began = std::chrono::steady_clock::now();
      before = bound::usage().cpu_seconds;
    };
    loop->run(input, events, first, output);
    output.flush();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
    const auto [cpu, rss] = bound::usage();
    const auto count = static_cast<double>(events);
    std::printf(
        R"({"engine":"bound","workload":"%s","events":%lld,"rows_out":%lld,"seconds":%.3f,"events_per_second":%.0f,)"
        R"("cpu_seconds_per_million":%.3f,"peak_rss_mb":%.1f})"
        "\n",
        name.c_str(), static_cast<long long>(events), static_cast<long long>(output.records()), seconds.count(),
        count / seconds.count(), (cpu - before) * 1e6 / count, rss);
  }
  bound::delete_topic(broker, out);
}
