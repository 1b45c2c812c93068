#pragma once

#include <span>
#include <vector>

#include "server/statements/planned.h"

namespace millrace::inline server {

/// A statement that is about to be carried out, and the session that it was planned in.
struct ToShare {
  const Mutation* mutation;
  const SessionProperties* session;
};

/// The same mutations, in order, whose queries share the parts that they have alike (share_parts()). Precondition: all
/// of them are carried out together.
std::vector<Mutation> share_queries(std::span<const ToShare> together, const Config& config);

bool has_part(const PhysicalPlan& plan, const std::string& part);
/// The parts of a plan that no query has.
std::vector<PlanPtr> unused_parts(const PhysicalPlan& plan, const ServiceState& state);

/// Ids of the queries beside `query` that have the part.
std::vector<std::string> share_with(const ServiceState& state, const std::string& part, const std::string& query);

}  // namespace millrace::inline server
