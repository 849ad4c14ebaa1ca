//! The errors that are planted in a syntax tree, and where.

use proc_macro2::Span;
use quote::ToTokens;
use std::collections::HashSet;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{BinOp, Block, Expr, ReturnType, Signature, Stmt, Type, UnOp, parse_quote};

/// One planted error.
pub struct Mutant {
    pub number: u32,
    pub line: usize,
    /// What the mutant changes, as survivors.md has it.
    pub about: String,
}

/// Plants errors in one file.
pub struct Planter<'a> {
    /// The last number that was given to a mutant.
    pub last: u32,
    /// The numbers of mutants that do not compile.
    pub barred: &'a HashSet<u32>,
    pub planted: Vec<Mutant>,
}

impl Planter<'_> {
    /// Returns the number of a new mutant; `None` if it is barred. A mutant has the same number each time the sources are rewritten.
    fn number(&mut self, at: Span, about: String) -> Option<u32> {
        self.last += 1;
        let number = self.last;
        if self.barred.contains(&number) {
            return None;
        }
        self.planted.push(Mutant { number, line: at.start().line, about });
        Some(number)
    }

    /// Plants early returns at the start of a function, one for each value that it might return instead.
    fn body(&mut self, signature: &Signature, block: &mut Block) {
        if signature.constness.is_some() || block.stmts.is_empty() {
            return;
        }
        let values: Vec<Expr> = match &signature.output {
            ReturnType::Default => vec![parse_quote!(())],
            ReturnType::Type(_, returned) => values_of(returned),
        };
        for value in values.into_iter().rev() {
            let about = format!("{} -> {}", signature.ident, value.to_token_stream());
            if let Some(number) = self.number(signature.ident.span(), about) {
                block.stmts.insert(0, parse_quote!(if crate::mutant(#number) { return #value; }));
            }
        }
    }
}

/// Values that a function of a return type might return instead.
fn values_of(returned: &Type) -> Vec<Expr> {
    let Type::Path(path) = returned else { return Vec::new() };
    let Some(last) = path.path.segments.last() else { return Vec::new() };
    match last.ident.to_string().as_str() {
        "bool" => vec![parse_quote!(true), parse_quote!(false)],
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i32" | "i64" => vec![parse_quote!(0), parse_quote!(1)],
        "f64" => vec![parse_quote!(0.0), parse_quote!(1.0)],
        "Option" => vec![parse_quote!(None)],
        "Vec" => vec![parse_quote!(Vec::new())],
        _ => Vec::new(),
    }
}

/// The operator that a mutant has in place of this one.
fn other(operator: &BinOp) -> Option<BinOp> {
    Some(match operator {
        BinOp::Add(_) => parse_quote!(-),
        BinOp::Sub(_) => parse_quote!(+),
        BinOp::Mul(_) => parse_quote!(/),
        BinOp::Div(_) => parse_quote!(*),
        BinOp::Rem(_) => parse_quote!(/),
        BinOp::And(_) => parse_quote!(||),
        BinOp::Or(_) => parse_quote!(&&),
        BinOp::BitAnd(_) => parse_quote!(|),
        BinOp::BitOr(_) => parse_quote!(&),
        BinOp::BitXor(_) => parse_quote!(&),
        BinOp::Shl(_) => parse_quote!(>>),
        BinOp::Shr(_) => parse_quote!(<<),
        BinOp::Eq(_) => parse_quote!(!=),
        BinOp::Ne(_) => parse_quote!(==),
        BinOp::Lt(_) => parse_quote!(<=),
        BinOp::Le(_) => parse_quote!(<),
        BinOp::Gt(_) => parse_quote!(>=),
        BinOp::Ge(_) => parse_quote!(>),
        BinOp::AddAssign(_) => parse_quote!(-=),
        BinOp::SubAssign(_) => parse_quote!(+=),
        BinOp::MulAssign(_) => parse_quote!(/=),
        BinOp::BitAndAssign(_) => parse_quote!(|=),
        BinOp::BitOrAssign(_) => parse_quote!(&=),
        _ => return None,
    })
}

/// Whether a condition binds names (`let`), and so cannot become an operand.
fn binds(expression: &Expr) -> bool {
    match expression {
        Expr::Let(_) => true,
        Expr::Binary(binary) => matches!(binary.op, BinOp::And(_)) && (binds(&binary.left) || binds(&binary.right)),
        _ => false,
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = attribute.meta.to_token_stream().to_string();
        attribute.path().is_ident("test") || (text.contains("test") && attribute.path().is_ident("cfg"))
    })
}

impl VisitMut for Planter<'_> {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        let about = expression.to_token_stream().to_string();
        visit_mut::visit_expr_mut(self, expression);
        match expression {
            Expr::Binary(binary) if !binds(&Expr::Binary(binary.clone())) => {
                let Some(op) = other(&binary.op) else { return };
                let about = format!("`{}` for `{}` in {about}", op.to_token_stream(), binary.op.to_token_stream());
                let Some(number) = self.number(binary.op.span(), about) else { return };
                let (left, right, sound) = (&binary.left, &binary.right, &binary);
                // In parentheses, because an operand such as `if` would end the statement at the start of a block.
                *expression = parse_quote!((if crate::mutant(#number) { (#left) #op (#right) } else { (#sound) }));
            }
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                let Some(number) = self.number(unary.span(), format!("no `!` in {about}")) else { return };
                let (inner, sound) = (&unary.expr, &unary);
                *expression = parse_quote!((if crate::mutant(#number) { #inner } else { #sound }));
            }
            _ => {}
        }
    }

    fn visit_stmt_mut(&mut self, statement: &mut Stmt) {
        let about = statement.to_token_stream().to_string();
        visit_mut::visit_stmt_mut(self, statement);
        let Stmt::Expr(expression, Some(_)) = &*statement else { return };
        let is_act = match expression {
            Expr::Call(_) | Expr::MethodCall(_) | Expr::Assign(_) => true,
            Expr::Paren(_) => true, // an assignment with an operator, changed above
            Expr::Binary(_) => true,
            _ => false,
        };
        if is_act && let Some(number) = self.number(statement.span(), format!("without {about}")) {
            let sound = statement.clone();
            *statement = parse_quote!(if !crate::mutant(#number) { #sound });
        }
    }

    fn visit_item_fn_mut(&mut self, function: &mut syn::ItemFn) {
        if !is_test(&function.attrs) && function.sig.constness.is_none() {
            visit_mut::visit_item_fn_mut(self, function);
            self.body(&function.sig.clone(), &mut function.block);
        }
    }

    fn visit_impl_item_fn_mut(&mut self, function: &mut syn::ImplItemFn) {
        if !is_test(&function.attrs) && function.sig.constness.is_none() {
            visit_mut::visit_impl_item_fn_mut(self, function);
            self.body(&function.sig.clone(), &mut function.block);
        }
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if !is_test(&module.attrs) {
            visit_mut::visit_item_mod_mut(self, module);
        }
    }

    // Constants are evaluated at compile time, when no mutant is active.
    fn visit_item_const_mut(&mut self, _: &mut syn::ItemConst) {}
    fn visit_impl_item_const_mut(&mut self, _: &mut syn::ImplItemConst) {}
    fn visit_item_static_mut(&mut self, _: &mut syn::ItemStatic) {}
    fn visit_type_mut(&mut self, _: &mut Type) {}
    fn visit_pat_mut(&mut self, _: &mut syn::Pat) {}
    fn visit_attribute_mut(&mut self, _: &mut syn::Attribute) {}
}
