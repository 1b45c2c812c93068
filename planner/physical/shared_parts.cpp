#include "planner/physical/shared_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "parser/error/ensure.h"
#include "parser/error/sql_error.h"
#include "planner/physical/pace_rules.h"
#include "planner/physical/sources.h"
#include "planner/physical/stores.h"

namespace millrace::inline planner {
namespace {

bool writes_late_rows(const PlanNode& node) {
  return node.as<LateNode>() ||
         std::ranges::any_of(inputs_of(node), [](const NodePtr& input) { return writes_late_rows(*input); });
}

using TopicNames = std::map<std::string, std::string>;

/// The tree with its topics called otherwise.
NodePtr rename_topics(const NodePtr& node, const TopicNames& names) {
  if (const auto* source = node->as<SourceNode>()) {
    const auto found = names.find(source->topic);
    if (!source->internal || found == names.end()) return node;
    SourceNode renamed = *source;
    renamed.topic = found->second;
    return make_source(std::move(renamed), node->kind, node->window);
  }
  const NodePtr renamed = map_inputs(node, [&](const NodePtr& input) { return rename_topics(input, names); });
  const auto* sink = renamed->as<SinkNode>();
  const auto found = sink != nullptr && sink->internal ? names.find(sink->topic) : names.end();
  if (found == names.end()) return renamed;
  SinkNode other = *sink;
  other.topic = found->second;
  return make_node(std::move(other));
}

/// A plan, seen as what leads to each of its repartition topics.
class Ways {
 public:
  explicit Ways(const PhysicalPlan& plan) : plan_(plan), roles_(pace_roles(plan)) {
    for (const Subtopology& one : plan.subtopologies) {
      const auto* sink = one.root->as<SinkNode>();
      if (sink != nullptr && sink->internal) writers_[sink->topic] = index_of(one.id);
      auto& [own, others] = reads_.emplace_back();
      for (const PlanNode* node : sources_of(*one.root)) {
        const auto& source = *node->as<SourceNode>();
        if (!source.broadcast) (source.internal ? own : others).insert(source.topic);
      }
    }
  }

  using Subtopologies = std::set<std::size_t>;
  /// What leads to some repartition topics.
  struct Way {
    std::set<std::string> topics;
    Subtopologies steps;
  };
  Way to(const std::set<std::string>& topics) const {
    Way way{topics, {}};
    for (const std::string& topic : topics)
      if (const auto writer = writers_.find(topic); writer != writers_.end()) add(writer->second, way.steps);
    return way;
  }
  /// Those that can do without the rest of the query: to one topic, or to all that one subtopology reads.
  std::vector<Way> separate() const {
    std::set<std::set<std::string>> goals;
    for (const InternalTopic& topic : plan_.topics)
      if (!topic.changelog) goals.insert({topic.name});
    for (const auto& [own, others] : reads_)
      if (!own.empty()) goals.insert(own);
    std::vector<Way> ways;
    for (const auto& goal : goals)
      if (Way way = to(goal); is_separate(way)) ways.push_back(std::move(way));
    return ways;
  }

  /// What is done there, as a plan of its own.
  PhysicalPlan part(const Way& way, const PhysicalContext& context) const {
    PhysicalPlan part;
    part.query_id = context.query_id;
    part.incarnation = plan_.incarnation;
    part.options = plan_.options;
    const std::string prefix = topic_prefix(context);
    TopicNames names;
    std::map<int, int> ids;
    for (const std::size_t one : way.steps) {
      ids[plan_.subtopologies[one].id] = static_cast<int>(ids.size());
      const std::size_t number = names.size() + 1;
      names[written_by(one)] =
          internal_topic_name(prefix, number == 1 ? "Shared" : fmt::format("Shared-{}", number), "repartition");
    }
    for (const std::size_t one : way.steps)
      part.subtopologies.push_back({.id = ids.at(plan_.subtopologies[one].id),
                                    .root = rename_topics(plan_.subtopologies[one].root, names),
                                    .stores = {}});
    for (const InternalTopic& known : plan_.topics) {
      if (!names.contains(known.name)) continue;
      InternalTopic& own = part.topics.emplace_back(known);
      own.name = names.at(known.name);
      if (!way.topics.contains(known.name)) {
        for (int& reader : own.readers) reader = ids.at(reader);
        continue;
      }
      own.readers.clear();
      if (own.partitions == 0) own.as_many_as = *sizes_of_readers(known);
      own.paces = paces_behind(known);
    }
    const PlanNode& root = *part.subtopologies.back().root;
    part.result = root.schema;
    part.kind = root.kind;
    part.window = root.window;
    name_steps(part);
    declare_stores(part, prefix);
    return part;
  }

 private:
  std::size_t index_of(int id) const {
    const auto found = std::ranges::find(plan_.subtopologies, id, &Subtopology::id);
    return static_cast<std::size_t>(found - plan_.subtopologies.begin());
  }
  bool is_separate(const Way& way) const {
    const auto& steps = way.steps;
    const auto read_inside = [&](int id) { return steps.contains(index_of(id)); };
    const auto fits = [&](const InternalTopic& topic) {
      const auto writer = writers_.find(topic.name);
      if (writer == writers_.end() || !steps.contains(writer->second)) return true;
      if (!way.topics.contains(topic.name)) return std::ranges::all_of(topic.readers, read_inside);
      return std::ranges::none_of(topic.readers, read_inside) && sizes_of_readers(topic).has_value();
    };
    const auto writes_late = [&](std::size_t one) { return writes_late_rows(*plan_.subtopologies[one].root); };
    return !steps.empty() && std::ranges::all_of(plan_.topics, fits) && std::ranges::none_of(steps, writes_late) &&
           has_own_pace(steps);
  }
  const std::string& written_by(std::size_t subtopology) const {
    return plan_.subtopologies[subtopology].root->as<SinkNode>()->topic;
  }
  void add(std::size_t subtopology, Subtopologies& way) const {
    if (!way.insert(subtopology).second) return;
    for (const std::string& topic : reads_[subtopology].first)
      if (const auto writer = writers_.find(topic); writer != writers_.end()) add(writer->second, way);
  }

  /// Nobody beside these keeps their pace.
  bool has_own_pace(const Subtopologies& way) const {
    const auto keeps = [&](std::size_t one) {
      return roles_.feeds[one] || (roles_.looks[one] && reads_any(plan_.subtopologies[one], false));
    };
    bool inside = false, outside = false;
    for (std::size_t i = 0; i < plan_.subtopologies.size(); ++i)
      if (keeps(i)) (way.contains(i) ? inside : outside) = true;
    return !inside || !outside;
  }
  std::vector<PaceRule> paces_behind(const InternalTopic& topic) const {
    std::vector<PaceRule> rules;
    Subtopologies behind;
    for (const int id : topic.readers) behind.insert(index_of(id));
    for (std::size_t i = 0; i < plan_.subtopologies.size(); ++i) {
      for (const std::string& read : reads_[i].first)
        if (const auto writer = writers_.find(read); writer != writers_.end() && behind.contains(writer->second))
          behind.insert(i);
      if (!behind.contains(i) || !roles_.looks[i]) continue;
      for (const PaceRule& rule : pace_rules(*plan_.subtopologies[i].root)) rules.push_back(rule);
    }
    return rules;
  }

  /// The topics of which the largest has as many partitions as the subtopology has tasks; absent: it is not for topics
  /// to say.
  std::optional<std::set<std::string>> sizes_of(std::size_t subtopology) const {
    const auto& [own, others] = reads_[subtopology];
    if (!others.empty()) return others;
    std::set<std::string> sizes;
    for (const InternalTopic& topic : plan_.topics) {
      if (!own.contains(topic.name)) continue;
      const auto more = topic.partitions > 0 ? std::nullopt : sizes_of(writers_.at(topic.name));
      if (!more) return std::nullopt;
      sizes.insert(more->begin(), more->end());
    }
    if (sizes.empty()) return std::nullopt;
    return sizes;
  }
  /// The same of what has to be as wide as the topic. Nothing to say: the topic does itself.
  std::optional<std::vector<std::string>> sizes_of_readers(const InternalTopic& topic) const {
    if (topic.partitions > 0) return std::vector<std::string>();
    std::optional<std::set<std::string>> sizes;
    for (const int id : topic.readers) {
      const auto its = sizes_of(index_of(id));
      if (!its || (sizes && *sizes != *its)) return std::nullopt;
      sizes = its;
    }
    if (!sizes) return std::nullopt;
    return std::vector(sizes->begin(), sizes->end());
  }

  const PhysicalPlan& plan_;
  const PaceRoles roles_;
  std::map<std::string, std::size_t> writers_;                                  // of repartition topics: indexes
  std::vector<std::pair<std::set<std::string>, std::set<std::string>>> reads_;  // repartition topics, and others
};

/// Whether one may stand for the other; both have one id.
bool same_part(const PhysicalPlan& a, const PhysicalPlan& b) {
  const auto same_tree = [](const Subtopology& one, const Subtopology& other) { return equal(*one.root, *other.root); };
  const auto same_topic = [](const InternalTopic& one, const InternalTopic& other) {
    return one.name == other.name && one.partitions == other.partitions && one.as_many_as == other.as_many_as;
  };
  const QueryOptions &one = a.options, &other = b.options;
  return one.emit_every_change == other.emit_every_change && one.fail_on_bad_record == other.fail_on_bad_record &&
         one.fail_on_bad_timestamp == other.fail_on_bad_timestamp &&
         std::ranges::equal(a.subtopologies, b.subtopologies, same_tree) &&
         std::ranges::equal(a.topics, b.topics, same_topic);
}

/// Takes out of the plan what leads to `topics`; `part` does that. Stores are to be declared anew.
void take_out(PhysicalPlan& plan, const std::set<std::string>& topics, PlanPtr part) {
  const auto steps = Ways(plan).to(topics).steps;
  TopicNames names;
  const std::vector<std::string> given = given_topics(*part);
  for (const InternalTopic& topic : plan.topics)
    if (topics.contains(topic.name)) names[topic.name] = given[names.size()];
  std::vector<Subtopology> left;
  std::map<int, int> ids;
  std::set<std::string> gone;
  for (std::size_t i = 0; i < plan.subtopologies.size(); ++i) {
    const Subtopology& one = plan.subtopologies[i];
    if (steps.contains(i)) {
      gone.insert(one.root->as<SinkNode>()->topic);
      continue;
    }
    const int id = static_cast<int>(left.size());
    ids[one.id] = id;
    left.push_back({.id = id, .root = rename_topics(one.root, names), .stores = {}});
  }
  plan.subtopologies = std::move(left);
  std::erase_if(plan.topics, [&](const InternalTopic& known) { return known.changelog || gone.contains(known.name); });
  for (InternalTopic& known : plan.topics)
    for (int& reader : known.readers) reader = ids.at(reader);
  plan.parts.push_back(std::move(part));
  name_steps(plan);
}

PhysicalContext named(const PhysicalContext& context, std::string id) {
  PhysicalContext other = context;
  other.query_id = std::move(id);
  return other;
}

/// A part that a query might share.
struct Candidate {
  std::size_t query;
  Ways::Way way;
  PhysicalPlan part;  // under an id that means nothing
};

class Sharer {
 public:
  explicit Sharer(std::span<const PlannedQuery> queries)
      : queries_(queries), shared_(queries.size()), taken_(queries.size()) {}

  std::vector<PlanPtr> run() {
    find_candidates();
    for (const Candidate& one : candidates_)
      if (const auto group = alike(one); group.size() > 1) share(group);
    for (std::size_t i = 0; i < queries_.size(); ++i) {
      if (!shared_[i]) continue;
      declare_stores(*shared_[i], topic_prefix(queries_[i].context));
      shared_[i]->materialization = find_materialization(shared_[i]->subtopologies.back());
    }
    return {shared_.begin(), shared_.end()};
  }

 private:
  using Group = std::vector<const Candidate*>;

  void find_candidates() {
    for (std::size_t i = 0; i < queries_.size(); ++i) {
      const PhysicalPlan& plan = *queries_[i].plan;
      if (plan.options.align_times || !plan.parts.empty()) continue;
      const Ways ways(plan);
      for (Ways::Way& way : ways.separate()) {
        PhysicalPlan part = ways.part(way, named(queries_[i].context, "part"));
        candidates_.push_back({i, std::move(way), std::move(part)});
      }
    }
    std::ranges::stable_sort(candidates_, std::greater{}, [](const Candidate& one) { return one.way.steps.size(); });
  }

  bool is_free(const Candidate& one) const {
    return std::ranges::none_of(one.way.steps, [&](std::size_t step) { return taken_[one.query].contains(step); });
  }

  /// It and what others have like it, one of each query.
  Group alike(const Candidate& first) const {
    Group found;
    if (!is_free(first)) return found;
    std::set<std::size_t> queries;
    for (const Candidate& one : candidates_) {
      const bool same = one.part.options.from_earliest == first.part.options.from_earliest &&
                        same_part(one.part, first.part) && is_free(one);
      if (same && queries.insert(one.query).second) found.push_back(&one);
    }
    return found;
  }

  void share(const Group& group) {
    const Candidate& first = *group.front();
    const PlannedQuery& owner = queries_[first.query];
    const std::string id = fmt::format("{}{}-{}", kPartPrefix, owner.plan->query_id, ++numbers_[first.query]);
    const auto part = std::make_shared<PhysicalPlan>(Ways(*owner.plan).part(first.way, named(owner.context, id)));
    for (const Candidate* one : group)
      for (std::size_t i = 0; i < part->topics.size(); ++i)
        for (const PaceRule& rule : one->part.topics[i].paces)
          if (auto& all = part->topics[i].paces; std::ranges::find(all, rule) == all.end()) all.push_back(rule);
    for (const Candidate* one : group) {
      taken_[one->query].insert(one->way.steps.begin(), one->way.steps.end());
      auto& plan = shared_[one->query];
      if (!plan) {
        plan = std::make_shared<PhysicalPlan>(*queries_[one->query].plan);
        // Its progress is not what that of the query alone would be.
        plan->incarnation += 's';
      }
      take_out(*plan, one->way.topics, part);
    }
  }

  const std::span<const PlannedQuery> queries_;
  std::vector<Candidate> candidates_;  // the largest first
  std::vector<std::shared_ptr<PhysicalPlan>> shared_;
  std::vector<Ways::Subtopologies> taken_;  // of each query
  std::map<std::size_t, int> numbers_;      // of parts, by the query that they are named after
};

}  // namespace

std::vector<std::string> given_topics(const PhysicalPlan& part) {
  std::vector<std::string> given;
  for (const InternalTopic& topic : part.topics)
    if (!topic.changelog && topic.readers.empty()) given.push_back(topic.name);
  return given;
}

std::vector<PlanPtr> share_parts(std::span<const PlannedQuery> queries) {
  return Sharer(queries).run();
}

void leave_to(PhysicalPlan& plan, const std::vector<PlanPtr>& parts, const PhysicalContext& context) {
  const Ways ways(plan);
  const std::vector<Ways::Way> own = ways.separate();
  std::vector<std::set<std::string>> topics;
  for (const PlanPtr& part : parts) {
    const auto does = [&](const Ways::Way& way) {
      return same_part(ways.part(way, named(context, part->query_id)), *part);
    };
    const auto found = std::ranges::find_if(own, does);
    if (found == own.end())
      throw SqlError(Code::invalid_statement, Span{},
                     fmt::format("Query is not upgradeable. It shares with others what comes to the topic {}, and its "
                                 "replacement would bring other rows there.",
                                 given_topics(*part).front()))
          .hint("drop the query and create it again; with millrace.rules.off = 'sharing' queries share nothing");
    topics.push_back(found->topics);
  }
  for (std::size_t i = 0; i < parts.size(); ++i) take_out(plan, topics[i], parts[i]);
}

}  // namespace millrace::inline planner
