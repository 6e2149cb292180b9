#include "collectors/firewall/model/expression.h"

namespace finwait::firewall {

Expression::Expression() = default;
Expression::Expression(const Expression& other) = default;
Expression::Expression(Expression&& other) noexcept = default;
Expression& Expression::operator=(const Expression& other) = default;
Expression& Expression::operator=(Expression&& other) noexcept = default;
Expression::~Expression() = default;

}  // namespace finwait::firewall
