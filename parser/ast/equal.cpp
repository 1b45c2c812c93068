#include <algorithm>
#include <tuple>

#include "parser/ast/format.h"
#include "parser/ast/printer.h"

namespace millrace::inline parser::ast {
namespace {

// What counts of each struct, as a tuple; spans, quoting and spelling variants are left out.
auto parts(const NullLiteral&) {
  return std::tuple();
}
auto parts(const BooleanLiteral& x) {
  return std::tie(x.value);
}
auto parts(const IntegerLiteral& x) {
  return std::tie(x.value);
}
auto parts(const BigintLiteral& x) {
  return std::tie(x.value);
}
auto parts(const DecimalLiteral& x) {
  return std::tie(x.text);
}
auto parts(const DoubleLiteral& x) {
  return std::tie(x.value);
}
auto parts(const StringLiteral& x) {
  return std::tie(x.value);
}
auto parts(const IntervalUnit& x) {
  return std::tie(x.unit);
}
auto parts(const ColumnRef& x) {
  return std::tie(x.qualifier, x.name);
}
auto parts(const Unary& x) {
  return std::tie(x.op, x.operand);
}
auto parts(const Binary& x) {
  return std::tie(x.op, x.left, x.right);
}
auto parts(const Comparison& x) {
  return std::tie(x.op, x.left, x.right);
}
auto parts(const Between& x) {
  return std::tie(x.value, x.low, x.high, x.negated);
}
auto parts(const In& x) {
  return std::tie(x.value, x.items, x.negated);
}
auto parts(const Like& x) {
  return std::tie(x.value, x.pattern, x.escape, x.negated);
}
auto parts(const IsNull& x) {
  return std::tie(x.value, x.negated);
}
auto parts(const Case& x) {
  return std::tie(x.operand, x.whens, x.otherwise);
}
auto parts(const Case::When& x) {
  return std::tie(x.condition, x.result);
}
auto parts(const Cast& x) {
  return std::tie(x.operand, x.target);
}
auto parts(const Call& x) {
  return std::tie(x.name, x.arguments, x.star);
}
auto parts(const Lambda& x) {
  return std::tie(x.parameters, x.body);
}
auto parts(const FieldAccess& x) {
  return std::tie(x.base, x.field);
}
auto parts(const Subscript& x) {
  return std::tie(x.base, x.index);
}
auto parts(const ArrayConstructor& x) {
  return std::tie(x.items);
}
auto parts(const MapConstructor& x) {
  return std::tie(x.entries);
}
auto parts(const StructConstructor& x) {
  return std::tie(x.fields);
}
auto parts(const AtTimeZone& x) {
  return std::tie(x.value, x.zone);
}

auto parts(const Duration& x) {
  return std::tie(x.millis);
}
auto parts(const SelectExpr& x) {
  return std::tie(x.expr, x.alias);
}
auto parts(const SelectStar& x) {
  return std::tie(x.qualifier);
}
auto parts(const SelectStructStar& x) {
  return std::tie(x.base);
}
auto parts(const Within& x) {
  return std::tie(x.before, x.after, x.grace);
}
auto parts(const FromSource& x) {
  return std::tie(x.name, x.alias);
}
auto parts(const JoinedSource& x) {
  return std::tie(x.kind, x.source, x.within, x.on);
}
auto parts(const From& x) {
  return std::tie(x.first, x.joins);
}
auto parts(const Window& x) {
  return std::tie(x.kind, x.size, x.advance, x.retention, x.grace, x.name);
}
auto parts(const Grouping& x) {
  return std::tie(x.exprs);
}
auto parts(const Query& x) {
  return std::tie(x.items, x.from, x.window, x.where, x.group_by, x.partition_by, x.having, x.emit, x.limit);
}

auto parts(const ColumnDefinition& x) {
  return std::tie(x.name, x.type, x.role, x.header_key);
}
auto parts(const Property& x) {
  return std::tie(x.name, x.value);
}
auto parts(const CreateSource& x) {
  return std::tie(x.kind, x.name, x.or_replace, x.if_not_exists, x.read_only, x.columns, x.properties);
}
auto parts(const CreateAs& x) {
  return std::tie(x.kind, x.name, x.or_replace, x.if_not_exists, x.properties, x.query);
}
auto parts(const InsertSelect& x) {
  return std::tie(x.target, x.properties, x.query);
}
auto parts(const InsertValues& x) {
  return std::tie(x.target, x.columns, x.values);
}
auto parts(const AlterSource& x) {
  return std::tie(x.kind, x.name, x.added);
}
auto parts(const DropSource& x) {
  return std::tie(x.kind, x.name, x.if_exists, x.delete_topic);
}
auto parts(const CreateType& x) {
  return std::tie(x.name, x.if_not_exists, x.type);
}
auto parts(const DropType& x) {
  return std::tie(x.name, x.if_exists);
}
auto parts(const CreateConnector& x) {
  return std::tie(x.kind, x.name, x.if_not_exists, x.properties);
}
auto parts(const DropConnector& x) {
  return std::tie(x.name, x.if_exists);
}
auto parts(const DescribeConnector& x) {
  return std::tie(x.name);
}
auto parts(const ShowConnectors& x) {
  return std::tie(x.kind);
}
auto parts(const ShowConnectorPlugins&) {
  return std::tuple();
}
auto parts(const Select& x) {
  return std::tie(x.query);
}
auto parts(const Print& x) {
  return std::tie(x.topic, x.from_beginning, x.interval, x.limit);
}
auto parts(const ShowSources& x) {
  return std::tie(x.kind, x.extended);
}
auto parts(const ShowTopics& x) {
  return std::tie(x.all, x.extended);
}
auto parts(const ShowQueries& x) {
  return std::tie(x.extended);
}
auto parts(const ShowFunctions&) {
  return std::tuple();
}
auto parts(const ShowProperties&) {
  return std::tuple();
}
auto parts(const ShowTypes&) {
  return std::tuple();
}
auto parts(const ShowVariables&) {
  return std::tuple();
}
auto parts(const DescribeSource& x) {
  return std::tie(x.name, x.extended);
}
auto parts(const DescribeStreams& x) {
  return std::tie(x.extended);
}
auto parts(const DescribeFunction& x) {
  return std::tie(x.name);
}
auto parts(const Explain& x) {
  return std::tie(x.query_id, x.statement);
}
auto parts(const ControlQuery& x) {
  return std::tie(x.action, x.query_id);
}
auto parts(const SetProperty& x) {
  return std::tie(x.name, x.value);
}
auto parts(const UnsetProperty& x) {
  return std::tie(x.name);
}
auto parts(const AlterSystem& x) {
  return std::tie(x.name, x.value);
}
auto parts(const DefineVariable& x) {
  return std::tie(x.name, x.value);
}
auto parts(const UndefineVariable& x) {
  return std::tie(x.name);
}
auto parts(const AssertTopic& x) {
  return std::tie(x.topic, x.exists, x.properties, x.timeout);
}
auto parts(const AssertSchema& x) {
  return std::tie(x.exists, x.subject, x.id, x.timeout);
}
auto parts(const AssertValues& x) {
  return std::tie(x.source, x.columns, x.values, x.tombstone);
}
auto parts(const AssertSource& x) {
  return std::tie(x.expected);
}
auto parts(const RunScript& x) {
  return std::tie(x.path);
}

struct Comparer {
  template <class T>
  requires(std::is_arithmetic_v<T> || std::is_enum_v<T>) bool operator()(const T& a, const T& b) const {
    return a == b;
  }
  bool operator()(const std::string& a, const std::string& b) const { return a == b; }
  bool operator()(const Identifier& a, const Identifier& b) const { return a == b; }
  bool operator()(const Expression& a, const Expression& b) const { return (*this)(a.node, b.node); }
  bool operator()(const StatementNode& a, const StatementNode& b) const { return (*this)(a.node, b.node); }
  bool operator()(const TypeName& a, const TypeName& b) const {
    return canonical_type_name(a.name.text) == canonical_type_name(b.name.text) && a.numbers == b.numbers &&
           (*this)(a.arguments, b.arguments) && a.fields == b.fields;
  }
  /// The order of WITH entries means nothing.
  bool operator()(const Properties& a, const Properties& b) const {
    const auto sorted = [](const Properties& properties) {
      std::vector<const Property*> order;
      for (const Property& property : properties) order.push_back(&property);
      std::stable_sort(order.begin(), order.end(), [](const auto* x, const auto* y) { return x->name < y->name; });
      return order;
    };
    const auto left = sorted(a);
    const auto right = sorted(b);
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [&](const Property* x, const Property* y) { return (*this)(*x, *y); });
  }
  template <class T>
  bool operator()(const std::shared_ptr<T>& a, const std::shared_ptr<T>& b) const {
    return a == b || (a && b && (*this)(*a, *b));
  }
  template <class T>
  bool operator()(const std::optional<T>& a, const std::optional<T>& b) const {
    return a.has_value() == b.has_value() && (!a || (*this)(*a, *b));
  }
  template <class T>
  bool operator()(const std::vector<T>& a, const std::vector<T>& b) const {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), *this);
  }
  template <class A, class B>
  bool operator()(const std::pair<A, B>& a, const std::pair<A, B>& b) const {
    return (*this)(a.first, b.first) && (*this)(a.second, b.second);
  }
  template <class... T>
  bool operator()(const std::variant<T...>& a, const std::variant<T...>& b) const {
    if (a.index() != b.index()) return false;
    return std::visit([&](const auto& x) { return (*this)(x, std::get<std::remove_cvref_t<decltype(x)>>(b)); }, a);
  }
  template <class T>
  requires requires(const T& x) { parts(x); }
  bool operator()(const T& a, const T& b) const {
    return tuples(parts(a), parts(b), std::make_index_sequence<std::tuple_size_v<decltype(parts(a))>>());
  }

 private:
  template <class Tuple, std::size_t... I>
  bool tuples(const Tuple& a, const Tuple& b, std::index_sequence<I...>) const {
    return ((*this)(std::get<I>(a), std::get<I>(b)) && ...);
  }
};

}  // namespace

bool equal(const Expression& a, const Expression& b) {
  return Comparer()(a, b);
}
bool equal(const Statement& a, const Statement& b) {
  return Comparer()(a, b);
}

}  // namespace millrace::inline parser::ast
