#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "planner/bind/binder.h"
#include "planner/catalog/catalog.h"
#include "planner/physical/plan.h"

namespace millrace::inline server {

enum class QueryOrigin : std::uint8_t { create_as, insert_into, source_table };

/// A persistent query, as the command log keeps it.
struct QueryInfo {
  std::string id;
  QueryOrigin origin = QueryOrigin::create_as;
  std::string statement;  // canonical SQL
  std::string sink;       // name of the source it writes; empty for a source table
  std::string sink_topic;
  std::vector<std::string> late_sinks = {};  // names of the streams of LATE INTO
  std::vector<std::string> sources;
  PropertyMap properties;  // overridden when it was created
  std::shared_ptr<const PhysicalPlan> plan;
  bool paused = false;
  /// Of what its command says, byte for byte: the same in all processes, whatever their versions.
  std::uint64_t identity = 0;
};
using QueryPtr = std::shared_ptr<const QueryInfo>;

/// What the command log amounts to up to some command: the same on every process that has read as far. Immutable once
/// published.
struct ServiceState {
  Catalog catalog;
  std::map<std::string, QueryPtr, std::less<>> queries;
  PropertyMap system_properties;   // ALTER SYSTEM
  std::int64_t next_sequence = 0;  // offset of the next command

  const QueryInfo* find_query(std::string_view id) const;
  /// Queries that read or write a source.
  std::vector<QueryPtr> readers_of(std::string_view source) const;
  std::vector<QueryPtr> writers_of(std::string_view source) const;
};
using StatePtr = std::shared_ptr<const ServiceState>;

/// One step of a command. Exactly the fields of its kind are used.
struct Change {
  enum class Kind : std::uint8_t {
    put_source,
    drop_source,
    put_type,
    drop_type,
    start_query,
    stop_query,
    pause_query,
    resume_query,
    set_property,
    put_function,
    drop_function,
    put_view,
    drop_view,
    put_index,
    drop_index
  };
  Kind kind;
  std::string name;   // source, type, query id, property, function, view or index
  std::string value;  // set_property; type text for put_type, statement for put_function, put_view and put_index
  SourcePtr source;   // put_source
  QueryPtr query;     // start_query: replaces a query of the same id
};

/// A command: what a statement changes, validated against catalog version `version`. A replay rejects it when the
/// catalog has moved on since.
struct Command {
  std::string id;  // "stream/`X`/create"
  std::uint64_t version = 0;
  std::string statement;
  std::vector<Change> changes;
  /// What it changes in a way that this version of the program does not know: name of the object, and why.
  std::vector<std::pair<std::string, std::string>> unreadable = {};
  /// So many more that were submitted with it follow: what all of them start begins together.
  std::uint32_t followers = 0;
};

/// Applies the changes; the catalog version goes up by one.
void apply(ServiceState& state, const std::vector<Change>& changes);
/// As far as they can be read; the rest becomes unavailable.
void apply(ServiceState& state, const Command& command);

std::string command_to_json(const Command& command);
/// Changes that cannot be read are listed in `unreadable`. Throws std::exception on text that is no command at all.
Command command_from_json(std::string_view text, const FunctionCatalog& functions);

}  // namespace millrace::inline server
